"""The catalogue of the demo company: three hundred products, several in one line.

A line is `name | description | size = unit = price; ...`. Each size is a separate product.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

CATALOGUE = {
    ("BEV", "Beverages"): """
Orange Juice | Not from concentrate, pasteurised. | 1 l = case of 6 = 11.40; 250 ml = case of 24 = 17.80
Apple Juice | Cloudy, pressed from late-season apples. | 1 l = case of 6 = 9.60; 5 l = bag-in-box = 8.90
Tomato Juice | Lightly salted, for bars and breakfast buffets. | 1 l = case of 6 = 10.20; 200 ml = case of 24 = 15.60
Sparkling Mineral Water | Medium carbonation, returnable glass. | 750 ml = case of 12 = 7.20; 250 ml = case of 24 = 9.60
Still Mineral Water | Low in sodium. | 1.5 l = pack of 6 = 3.30; 500 ml = pack of 24 = 6.48
Cola | Classic recipe, pre-mix not required. | 330 ml = tray of 24 = 11.76; 1.5 l = pack of 6 = 7.50
Lemonade | With real lemon juice, no colouring. | 330 ml = tray of 24 = 12.24; 750 ml = case of 12 = 15.00
Tonic Water | Quinine from cinchona bark, fine bubbles. | 200 ml = case of 24 = 16.80; 500 ml = case of 12 = 13.20
Ginger Beer | Brewed, cloudy, noticeably hot. | 200 ml = case of 24 = 18.00; 330 ml = tray of 24 = 21.60
Iced Tea Peach | Black tea with eight percent peach juice. | 500 ml = tray of 12 = 10.08; 1.5 l = pack of 6 = 8.10
Elderflower Cordial | Concentrate, dilutes one to nine. | 750 ml = case of 6 = 25.50; 5 l = canister = 24.90
Oat Drink Barista | Foams like milk, made for coffee. | 1 l = case of 6 = 10.50; 1 l UHT = case of 12 = 19.80
Alcohol-Free Lager | At most 0.5 percent alcohol. | 330 ml = case of 24 = 17.28; 500 ml = case of 20 = 18.40
Coconut Water | Unsweetened, from young green coconuts. | 330 ml = case of 12 = 15.48; 1 l = case of 6 = 17.10
Grape Juice | Red, direct juice, returnable glass. | 1 l = case of 6 = 13.20; 200 ml = case of 24 = 18.96
""",
    ("COF", "Coffee & Tea"): """
Espresso Beans House Blend | 70 percent Arabica, dark roast. | 1 kg = bag = 14.90; 6 x 1 kg = case of 6 = 85.20
Espresso Beans Single Origin | Ethiopia Sidamo, washed, medium roast. | 1 kg = bag = 22.50; 250 g = case of 12 = 78.00
Filter Coffee Ground | Medium roast for batch brewers. | 1 kg = bag = 12.40; 70 g portion = case of 60 = 63.00
Decaffeinated Beans | Water process, medium roast. | 1 kg = bag = 17.80; 500 g = case of 8 = 76.00
Instant Coffee | Freeze-dried, for vending and large kitchens. | 500 g = bag = 9.95; 2 g stick = case of 1000 = 54.00
Black Tea English Breakfast | Assam and Ceylon, in envelopes. | 100 bags = box = 6.40; 6 x 100 bags = case of 6 = 36.00
Earl Grey | Bergamot oil from Calabria. | 100 bags = box = 6.90; 250 g loose = tin = 9.80
Green Tea Sencha | Steamed leaf, spring harvest. | 100 bags = box = 7.60; 1 kg loose = bag = 24.00
Peppermint Tea | Pure leaf, no added flavour. | 100 bags = box = 5.80; 500 g loose = bag = 8.40
Rooibos | South African, naturally free of caffeine. | 100 bags = box = 6.20; 1 kg loose = bag = 15.90
Chamomile Tea | Whole flowers in pyramid bags. | 50 bags = box = 7.10; 500 g loose = bag = 14.60
Drinking Chocolate | 32 percent cocoa, dissolves cold and hot. | 1 kg = bag = 8.70; 10 x 1 kg = case of 10 = 82.00
Chai Latte Powder | Black tea, milk powder and seven spices. | 1 kg = bag = 11.80; 25 g sachet = case of 100 = 39.00
Vanilla Syrup | For coffee and desserts, pump fits the bottle. | 700 ml = bottle = 7.20; 6 x 700 ml = case of 6 = 40.80
Sugar Sticks White | Printed neutral, four grams each. | 1000 pieces = box = 7.50; 5000 pieces = case = 34.50
""",
    ("DAI", "Dairy & Eggs"): """
Whole Milk | 3.5 percent fat, fresh, pasteurised. | 1 l = crate of 12 = 12.60; 10 l = bag-in-box = 10.10
Semi-Skimmed Milk | 1.5 percent fat, long-life. | 1 l = case of 12 = 10.80; 200 ml = case of 27 = 9.45
Butter Unsalted | 82 percent fat, sweet cream. | 250 g = case of 20 = 43.00; 10 kg = block = 79.00
Butter Portions | Foil-wrapped for breakfast buffets. | 10 g = box of 100 = 9.80; 20 g = box of 100 = 18.90
Whipping Cream | 33 percent fat, stable under heat. | 1 l = case of 12 = 38.40; 5 l = bag-in-box = 16.20
Crème Fraîche | 30 percent fat, does not curdle in sauces. | 500 g = case of 6 = 12.90; 5 kg = bucket = 19.50
Natural Yoghurt | 3.8 percent fat, set in the pot. | 500 g = case of 10 = 8.90; 10 kg = bucket = 15.80
Greek Yoghurt | 10 percent fat, strained. | 1 kg = case of 6 = 22.20; 10 kg = bucket = 34.50
Mozzarella Fior di Latte | Cow's milk, in brine. | 125 g = case of 20 = 19.00; 1 kg = case of 8 = 51.20
Gouda Young | 48 percent fat, for slicing and gratins. | 4.5 kg = wheel = 32.40; sliced 500 g = case of 10 = 42.00
Parmigiano Reggiano | Matured 24 months, protected origin. | 1 kg = wedge = 19.80; 38 kg = wheel = 646.00
Feta | Sheep and goat milk, protected origin. | 200 g = case of 12 = 26.40; 8 kg = tin = 72.00
Cream Cheese | Plain, double cream. | 300 g = case of 8 = 14.40; 2 kg = tub = 9.90
Free-Range Eggs Size M | Class A, stamped, delivered twice a week. | tray of 30 = tray = 6.90; 180 eggs = case = 39.60
Liquid Whole Egg | Pasteurised, for bakeries and large kitchens. | 1 kg = case of 10 = 34.00; 10 kg = bag-in-box = 31.50
""",
    ("DRY", "Dry Goods"): """
Basmati Rice | Aged twelve months, extra long grain. | 5 kg = bag = 11.90; 20 kg = 20 kg bag = 43.00
Jasmine Rice | Fragrant, from Thailand. | 5 kg = bag = 10.40; 25 kg = 25 kg bag = 46.50
Risotto Rice Carnaroli | Holds its bite. | 1 kg = case of 10 = 36.00; 5 kg = bag = 17.20
Spaghetti | Durum wheat, bronze die, 11 minutes. | 500 g = case of 24 = 27.60; 5 kg = bag = 9.40
Penne Rigate | Durum wheat, keeps its shape under heat lamps. | 500 g = case of 24 = 28.80; 5 kg = bag = 9.60
Lasagne Sheets | No pre-cooking. | 500 g = case of 12 = 16.80; 5 kg = case = 13.90
Wheat Flour Type 550 | For bread rolls, pizza and cakes. | 1 kg = pack of 10 = 7.90; 25 kg = 25 kg bag = 16.80
Rye Flour Type 1150 | For sourdough and mixed breads. | 1 kg = pack of 10 = 9.20; 25 kg = 25 kg bag = 18.40
Semolina | Hard wheat, medium grain. | 1 kg = pack of 10 = 10.90; 12.5 kg = 12.5 kg bag = 12.90
Granulated Sugar | Beet sugar, fine grain. | 1 kg = pack of 10 = 11.50; 25 kg = 25 kg bag = 26.20
Icing Sugar | With anti-caking starch. | 500 g = case of 12 = 11.40; 10 kg = 10 kg bag = 17.50
Red Lentils | Split, cook in 10 minutes. | 1 kg = case of 10 = 23.50; 12.5 kg = 12.5 kg bag = 26.90
Chickpeas Dried | 9 mm, for hummus and falafel. | 1 kg = case of 10 = 24.80; 12.5 kg = 12.5 kg bag = 28.40
Rolled Oats | Jumbo flakes, whole grain. | 500 g = case of 15 = 13.50; 15 kg = 15 kg bag = 19.80
Breadcrumbs | Dry, fine, for schnitzel. | 1 kg = case of 10 = 17.90; 10 kg = 10 kg bag = 16.40
""",
    ("CAN", "Canned & Preserved"): """
Peeled Plum Tomatoes | Whole, in juice, from Campania. | 400 g = case of 24 = 19.20; 2.5 kg = case of 6 = 25.80
Chopped Tomatoes | No skin, no added salt. | 400 g = case of 24 = 18.48; 10 kg = bag-in-box = 15.60
Tomato Paste | Double concentrate, 28 percent. | 800 g = case of 12 = 28.80; 4.5 kg = can = 14.20
Sweetcorn | Vacuum-packed, crisp. | 340 g = case of 12 = 13.08; 2.1 kg = case of 6 = 28.50
Kidney Beans | Ready to use, for salads and chili. | 400 g = case of 12 = 9.60; 2.5 kg = case of 6 = 21.90
Tuna Chunks in Brine | Pole and line, skipjack. | 185 g = case of 48 = 76.80; 1.7 kg = case of 6 = 71.40
Sardines in Olive Oil | Portuguese, hand-packed. | 125 g = case of 30 = 69.00; 750 g = can = 12.60
Gherkins | Crunchy, spiced with dill and mustard seed. | 720 ml = case of 12 = 23.40; 10 l = can = 18.90
Green Olives Pitted | Hojiblanca, mild. | 350 g = case of 12 = 21.60; 5 kg = bucket = 24.80
Black Olives Kalamata | In brine with a dash of vinegar. | 370 g = case of 12 = 34.80; 5 kg = bucket = 38.50
Capers Nonpareilles | Seven millimetres, in vinegar. | 100 g = case of 12 = 19.80; 1 kg = jar = 12.90
Sauerkraut | Wine-fermented, mild. | 810 g = case of 12 = 19.08; 10 l = can = 14.70
Pineapple Slices | In juice, uniform slices. | 567 g = case of 24 = 40.80; 3 kg = case of 6 = 35.70
Peach Halves | In light syrup. | 820 g = case of 12 = 25.20; 2.65 kg = case of 6 = 36.90
Coconut Milk | 17 percent fat, no thickener. | 400 ml = case of 24 = 33.60; 2.9 l = case of 6 = 52.20
""",
    ("OIL", "Oils, Sauces & Spices"): """
Extra Virgin Olive Oil | Cold-pressed Koroneiki olives, Greece. | 1 l = case of 12 = 118.80; 5 l = canister = 44.90
Sunflower Oil | Refined, neutral. | 1 l = case of 12 = 21.00; 10 l = canister = 16.80
Frying Oil High Oleic | Heat-stable, low foaming, palm-free. | 10 l = canister = 21.90; 20 l = canister = 42.50
Rapeseed Oil Cold-Pressed | Nutty, for salads and marinades. | 500 ml = case of 6 = 23.40; 5 l = canister = 29.80
Balsamic Vinegar of Modena | Six percent acid, protected origin. | 500 ml = case of 12 = 33.00; 5 l = canister = 14.90
White Wine Vinegar | Clear and dry. | 1 l = case of 12 = 19.20; 10 l = canister = 13.40
Tomato Ketchup | 180 g tomatoes in 100 g. | 875 ml = case of 8 = 19.60; 10 kg = bucket = 18.90
Mayonnaise | 80 percent oil, stable under heat. | 500 ml = case of 10 = 16.90; 10 kg = bucket = 27.50
Dijon Mustard | Hot, stone-ground. | 370 g = case of 12 = 22.80; 5 kg = bucket = 19.20
Soy Sauce | Naturally brewed, six months. | 150 ml = case of 12 = 25.20; 5 l = canister = 27.90
Black Pepper Whole | Lampong, 550 g per litre. | 1 kg = bag = 13.80; 10 kg = case = 129.00
Sweet Paprika | Ground, colour value 120. | 1 kg = bag = 8.90; 10 kg = case = 82.00
Sea Salt Fine | From the Atlantic, no anti-caking agent. | 1 kg = pack of 12 = 10.20; 25 kg = 25 kg bag = 13.90
Cinnamon Ground | Ceylon, low in coumarin. | 400 g = shaker = 9.40; 1 kg = bag = 19.80
Bay Leaves | Hand-picked, whole. | 50 g = bag = 2.40; 1 kg = case = 21.50
""",
    ("PRO", "Fruit & Vegetables"): """
Potatoes Waxy | Washed, 40 to 60 mm, for salads. | 5 kg = net = 4.90; 25 kg = 25 kg bag = 18.90
Potatoes Floury | Unwashed, for mash and fries. | 10 kg = bag = 7.80; 25 kg = 25 kg bag = 16.50
Onions Yellow | Size 50 to 70. | 5 kg = net = 4.20; 25 kg = 25 kg bag = 16.90
Red Onions | Mild, size 50 to 70. | 5 kg = net = 5.60; 10 kg = net = 10.40
Carrots | Washed, class I. | 5 kg = bag = 4.70; 10 kg = crate = 8.60
Tomatoes on the Vine | Class I, 47 to 57 mm. | 5 kg = crate = 10.90; 10 kg = crate = 20.50
Cucumbers | Wrapped, 400 to 500 g each. | 12 pieces = crate = 7.90; 24 pieces = crate = 15.10
Iceberg Lettuce | Trimmed, wrapped. | 10 heads = crate = 8.50; shredded 1 kg = bag = 4.20
Bell Peppers Mixed | Red, yellow, green in equal parts. | 5 kg = crate = 12.40; 500 g = case of 10 = 14.90
Button Mushrooms | White, closed cap, picked on the day. | 3 kg = crate = 9.60; sliced 1 kg = tray = 4.10
Lemons Untreated | Class I, peel fit for use. | 4 kg = crate = 9.20; 500 g = net of 10 = 12.80
Apples Braeburn | 70 to 80 mm, from this region. | 5 kg = crate = 9.40; 13 kg = crate = 22.10
Bananas | Colour stage 4 on delivery. | 5 kg = box = 8.40; 18 kg = box = 27.90
Garlic | Purple, dry, 50 mm and more. | 1 kg = net = 5.90; 5 kg = box = 27.50
Flat-Leaf Parsley | Bunches of 100 g. | 10 bunches = crate = 7.80; 1 kg = bag = 10.90
""",
    ("FRO", "Frozen"): """
French Fries 9 mm | Pre-fried in sunflower oil. | 2.5 kg = case of 4 = 16.80; 450 kg = pallet = 742.50
Potato Wedges | With skin, seasoned. | 2.5 kg = case of 4 = 20.40; 1 kg = case of 10 = 21.90
Garden Peas | Fine, blanched within three hours. | 2.5 kg = case of 4 = 17.60; 10 kg = case = 16.90
Leaf Spinach | In single portions. | 2.5 kg = case of 4 = 18.80; 1 kg = case of 10 = 21.00
Broccoli Florets | 20 to 40 mm, loose. | 2.5 kg = case of 4 = 21.20; 1 kg = case of 10 = 23.50
Mixed Berries | Strawberry, raspberry, blackberry, currant. | 2.5 kg = case of 4 = 44.00; 1 kg = case of 5 = 23.50
Raspberries Whole | Individually frozen, 90 percent whole. | 2.5 kg = case of 2 = 34.00; 500 g = case of 10 = 41.00
Alaska Pollock Fillet | Skinless, portioned at 150 g, certified fishery. | 5 kg = case = 36.50; 1 kg = case of 6 = 46.20
Prawns Peeled 26/30 | Raw, deveined, 20 percent glaze. | 800 g = bag = 11.90; 10 x 800 g = case of 10 = 114.00
Pizza Dough Balls | 250 g, thaw in the fridge overnight. | 40 pieces = case = 21.60; 20 pieces = case = 11.40
Butter Croissants | Ready to bake, 70 g. | 60 pieces = case = 31.80; 120 pieces = case = 61.20
Bread Rolls Part-Baked | Eight minutes at 200 degrees. | 100 pieces = case = 17.50; 200 pieces = case = 33.80
Vanilla Ice Cream | With cream and Bourbon vanilla. | 5 l = tub = 15.90; 2.5 l = case of 2 = 17.20
Lemon Sorbet | 30 percent fruit, vegan. | 5 l = tub = 16.40; 2.5 l = case of 2 = 17.80
Puff Pastry Sheets | All butter, 10 sheets of 600 g. | 6 kg = case = 33.90; 20 kg = case = 106.00
""",
    ("CLE", "Cleaning & Hygiene"): """
Dishwasher Detergent Liquid | For commercial machines, soft water. | 12 kg = canister = 29.80; 25 kg = canister = 57.50
Rinse Aid Acidic | Streak-free glasses and cutlery. | 5 l = canister = 14.90; 10 l = canister = 27.80
Washing-Up Liquid | Concentrate, mild to the skin. | 1 l = case of 10 = 18.90; 10 l = canister = 14.20
All-Purpose Cleaner | Neutral pH, for floors and surfaces. | 1 l = case of 12 = 22.80; 10 l = canister = 13.90
Glass Cleaner | Ready to use, with spray head. | 750 ml = case of 10 = 17.50; 5 l = canister = 8.90
Sanitary Cleaner | Removes limescale, fresh scent. | 1 l = case of 12 = 26.40; 10 l = canister = 18.60
Surface Disinfectant | Effective in 60 seconds, fit for food areas. | 1 l = case of 10 = 44.00; 5 l = canister = 19.90
Hand Soap | Perfume-free, fits common dispensers. | 500 ml = case of 12 = 23.40; 5 l = canister = 10.80
Hand Sanitiser Gel | 70 percent ethanol, re-fatting. | 500 ml = case of 12 = 38.40; 5 l = canister = 26.50
Paper Towels Z-Fold | Two-ply, bright white, 3200 sheets. | 3200 sheets = case = 24.90; 32 cases = pallet = 729.60
Toilet Paper 3-Ply | 250 sheets a roll, recycled. | 8 rolls = pack = 3.60; 64 rolls = bale = 27.20
Kitchen Roll | Two-ply, fit for contact with food. | 4 rolls = pack of 8 = 17.60; 2 rolls = pack of 16 = 18.40
Refuse Bags 120 l | 60 micrometres, recycled film. | 25 bags = roll = 4.40; 250 bags = case = 41.00
Nitrile Gloves Size L | Powder-free, blue. | 100 pieces = box = 5.90; 1000 pieces = case = 54.00
Microfibre Cloths | Four colours for four areas, 300 washes. | 10 pieces = pack = 7.80; 200 pieces = case = 139.00
""",
    ("PAC", "Packaging & Disposables"): """
Paper Cup Single Wall | For hot drinks, certified fibre. | 200 ml = case of 1000 = 46.00; 300 ml = case of 1000 = 58.00
Paper Cup Lid | Fibre lid with sip hole. | 80 mm = case of 1000 = 39.00; 90 mm = case of 1000 = 44.00
Burger Box Bagasse | Microwave-safe, plastic-free. | 15 cm = case of 500 = 49.00; 23 cm = case of 200 = 34.00
Salad Bowl Kraft | With water-based coating. | 750 ml = case of 300 = 48.00; 1000 ml = case of 300 = 56.00
Pizza Box | Corrugated, printed neutral. | 26 cm = pack of 100 = 14.90; 33 cm = pack of 100 = 19.80
Wooden Fork | Birch, smooth edge. | 16 cm = case of 1000 = 18.90; wrapped = case of 500 = 17.40
Wooden Knife | Birch, serrated. | 16 cm = case of 1000 = 18.90; wrapped = case of 500 = 17.40
Paper Napkins 33 cm | Two-ply, quarter fold. | white = case of 2000 = 24.50; bordeaux = case of 2000 = 28.90
Dinner Napkins 40 cm | Airlaid, feels like linen. | white = case of 600 = 39.00; anthracite = case of 600 = 42.00
Cling Film | In a cutter box. | 30 cm x 300 m = roll = 6.90; 45 cm x 300 m = roll = 9.80
Aluminium Foil | 14 micrometres, in a cutter box. | 30 cm x 150 m = roll = 11.90; 45 cm x 150 m = roll = 17.40
Baking Paper | Siliconised on both sides, cut for trays. | GN 1/1 = box of 500 = 19.50; 60 x 40 cm = box of 500 = 22.80
Vacuum Bags | Ribbed, for sous-vide up to 121 °C. | 20 x 30 cm = pack of 100 = 8.60; 30 x 40 cm = pack of 100 = 15.90
Paper Carrier Bags | Kraft, flat handles. | 22 x 28 cm = case of 250 = 26.90; 32 x 41 cm = case of 200 = 32.50
Till Rolls Thermal | Phenol-free, 80 by 80 mm, 12 mm core. | 50 rolls = case = 34.00; 10 rolls = pack = 7.60
""",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class CatalogueProduct:
    """A product before it has stock and a history."""

    sku: str
    name: str
    description: str
    category: str
    unit: str
    price: Decimal


def products() -> Iterator[CatalogueProduct]:
    """Yield the whole catalogue, each category in the order of its lines."""
    for (code, category), lines in CATALOGUE.items():
        for number, (name, description, unit, price) in enumerate(_sizes(lines), start=1):
            yield CatalogueProduct(
                sku=f"{code}-{number:04}",
                name=name,
                description=description,
                category=category,
                unit=unit,
                price=Decimal(price),
            )


def _sizes(lines: str) -> Iterator[tuple[str, str, str, str]]:
    """Yield name, description, unit and price of each size."""
    for line in lines.strip().splitlines():
        name, description, sizes = line.split(" | ")
        for entry in sizes.split("; "):
            size, unit, price = entry.split(" = ")
            yield f"{name} {size}", description, unit, price
