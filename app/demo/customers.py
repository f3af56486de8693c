"""Who buys from the demo company, written as one line for each customer, and the prices agreed with some of them.

A line is `name | email | street | postal code and city | credit limit | tax rate | notes`; `-` is nothing. Every email
ends in `.example`, which belongs to nobody.
"""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from app.services import pricing
from models import CustomerStatus, new_id

CUSTOMERS = {
    "DE": """
Harbour Grill | kitchen@harbourgrill | Am Kai 12 | 20457 Hamburg | 5000 | - | Weekly delivery, dock B.
Café Morgenrot | einkauf@cafe-morgenrot | Kastanienallee 85 | 10435 Berlin | 1500 | - | -
Hotel Bellevue | purchasing@bellevue-hotel | Seestraße 4 | 78464 Konstanz | 20000 | - | Invoices by email.
Trattoria Da Luca | luca@trattoria-daluca | Marktplatz 3 | 79098 Freiburg | 2500 | - | -
City Canteen Services | orders@citycanteen | Industriestraße 40 | 60486 Frankfurt | 30000 | - | -
Bäckerei Sonnenschein | backstube@sonnenschein | Mühlgasse 7 | 93047 Regensburg | 4000 | - | Deliver by 4 am.
The Copper Kettle | hello@copperkettle | Lindenweg 19 | 50674 Köln | - | - | -
Gasthaus zum Hirschen | wirt@zumhirschen | Dorfstraße 1 | 87561 Oberstdorf | 3000 | - | Closed on Mondays.
Sushi Kumo | info@sushikumo | Immermannstraße 22 | 40210 Düsseldorf | 2000 | - | -
Kita Regenbogen | kueche@kita-regenbogen | Schulweg 9 | 28203 Bremen | - | 0 | Tax exempt, certificate on file.
Brasserie Nordlicht | chef@brasserie-nordlicht | Holstenstraße 51 | 24103 Kiel | 6000 | - | -
Green Bowl | team@greenbowl | Gärtnerplatz 2 | 80469 München | 2500 | - | No plastic packaging, please.
Seminarhotel Waldblick | einkauf@waldblick | Forstallee 30 | 38640 Goslar | 12000 | - | -
Pizzeria Vesuvio | bestellung@pizzeria-vesuvio | Hauptstraße 66 | 69117 Heidelberg | 1800 | - | -
St. Anna Hospital | kitchen@st-anna-hospital | Klinikweg 1 | 45147 Essen | 40000 | 0 | Tax exempt, certificate on file.
Bistro am Markt | kontakt@bistro-am-markt | Rathausplatz 5 | 99084 Erfurt | 1000 | - | -
Rosengarten Catering | office@rosengarten-catering | Werkstraße 17 | 68161 Mannheim | 15000 | - | Returns pallets.
Burger Werk | einkauf@burgerwerk | Schanzenstraße 75 | 20357 Hamburg | 3500 | - | -
Teehaus Lotus | post@teehaus-lotus | Brückstraße 14 | 01067 Dresden | - | - | -
Eiscafé Venezia | ciao@eiscafe-venezia | Kurpromenade 3 | 76530 Baden-Baden | 1200 | - | Open April to October.
Student Union Kitchens | mensa@studentunion | Universitätsstraße 2 | 37073 Göttingen | 25000 | - | -
Fischhaus Ahoi | ahoi@fischhaus | Am Strom 59 | 18119 Rostock | 2200 | - | -
La Petite Crêperie | bonjour@petitecreperie | Quartierstraße 6 | 66111 Saarbrücken | - | - | -
Bowling Center West | bar@bowlingwest | Ringstraße 120 | 44137 Dortmund | 1500 | 0.19 | Full rate of tax.
Cinema Capitol | theke@cinema-capitol | Königsplatz 10 | 34117 Kassel | 2000 | 0.19 | Full rate of tax.
Village Stores | orders@villagestores | Lange Straße 33 | 27721 Ritterhude | 900 | - | -
Landgasthof Krone | info@landgasthof-krone | Kirchgasse 2 | 97199 Ochsenfurt | 2800 | - | -
Spice Route | kitchen@spiceroute | Eisenbahnstraße 44 | 04315 Leipzig | 1600 | - | -
Senior Residence Lindenhof | verwaltung@lindenhof | Parkweg 15 | 32756 Detmold | 18000 | - | Low-salt range.
Office Fruit Club | hello@officefruit | Technologiepark 9 | 33100 Paderborn | 3200 | - | -
Festival Kitchen Crew | crew@festivalkitchen | Hangar 3 | 55483 Lautzenhausen | 10000 | - | Pays on delivery.
Vegan Corner | hi@vegancorner | Südstraße 27 | 53175 Bonn | - | - | -
Schwarz Partyservice | buero@schwarz-party | Gewerbering 11 | 90441 Nürnberg | 500 | - | Blocked: invoices unpaid.
Club Neon | bar@clubneon | Hafenstraße 88 | 68159 Mannheim | 0 | 0.19 | Blocked: premises closed.
Old Mill Brewery Tap | tap@oldmilltap | Mühlenstraße 1 | 49074 Osnabrück | 1500 | 0.19 | Blocked: under review.
Imbiss Blitz | blitz@imbissblitz | Bahnhofstraße 2 | 59065 Hamm | 300 | - | Blocked: invoices unpaid.
Tapas y Más | hola@tapasymas | Neue Straße 18 | 89073 Ulm | 2400 | - | -
""",
    "AT": """
Alpine Lodge | kueche@alpinelodge | Bergweg 8 | 6580 St. Anton | 8000 | 0 | Reverse charge.
Wiener Kaffeekontor | bestellung@kaffeekontor | Lerchenfelder Straße 21 | 1070 Wien | 5000 | 0 | Reverse charge.
""",
    "NL": """
Restaurant De Gracht | inkoop@degracht | Prinsengracht 301 | 1016 GX Amsterdam | 7000 | 0 | Reverse charge.
""",
}
PLACE = re.compile(r"([0-9]+(?: [A-Z]{2})?) (.+)")
BLOCKED = "Blocked:"
FOUNDERS = 12  # customers from the first days on
AGREEING = 10  # customers with prices of their own

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Story:
    """Whose history is drawn, until when, how long it is, and the chance that draws it."""

    company_id: str
    now: datetime
    length: timedelta
    chance: random.Random


@dataclass(frozen=True, kw_only=True, slots=True)
class Buyer:
    """A customer's row, and what its orders take from it."""

    row: Row
    address: Row
    prices: dict[str, Decimal]  # agreed ones by the id of the product

    @property
    def ordering_ends(self) -> datetime | None:
        """Return since when a blocked customer cannot order."""
        return self.row["updated_at"] if self.row["status"] == CustomerStatus.BLOCKED else None


def buyers(story: Story) -> list[Buyer]:
    """Draw the customers, some as old as the company and the others gained over the year."""
    chance = story.chance
    lines = [(country, line) for country, lines in CUSTOMERS.items() for line in lines.strip().splitlines()]
    chance.shuffle(lines)
    ages = sorted((chance.uniform(0.25, 0.95) for _ in lines), reverse=True)
    ages[:FOUNDERS] = sorted((chance.uniform(0.97, 1) for _ in range(FOUNDERS)), reverse=True)
    pairs = zip(lines, ages, strict=True)
    return [_buyer(story, country, line, age * story.length) for (country, line), age in pairs]


def agree_prices(story: Story, buyers: Sequence[Buyer], goods: Sequence[Row]) -> Iterator[Row]:
    """Yield agreed prices of a few goods, five to fifteen per cent below the catalogue's; note them in the buyers."""
    chance = story.chance
    for buyer in chance.sample(buyers, AGREEING):
        for product in chance.sample(goods, chance.randint(3, 8)):
            discount = Decimal(chance.randint(85, 95)) / 100
            price = buyer.prices[product["id"]] = (product["price"] * discount).quantize(pricing.CENT)
            since = max(buyer.row["created_at"], product["created_at"])
            yield {
                "id": new_id(since),
                "company_id": story.company_id,
                "customer_id": buyer.row["id"],
                "product_id": product["id"],
                "price": price,
                "created_at": since,
            }


def _buyer(story: Story, country: str, line: str, age: timedelta) -> Buyer:
    name, email, street, place, limit, tax_rate, notes = line.split(" | ")
    postal_code, city = PLACE.fullmatch(place).groups()  # type: ignore[union-attr]  # the lines stand above
    is_blocked = notes.startswith(BLOCKED)
    created_at = story.now - age
    changed = story.chance.uniform(0.5, 0.9) if is_blocked else story.chance.random()
    row = {
        "id": new_id(created_at),
        "company_id": story.company_id,
        "email": f"{email}.example",
        "name": name,
        "status": CustomerStatus.BLOCKED if is_blocked else CustomerStatus.ACTIVE,
        "notes": None if notes == "-" else notes,
        "credit_limit": _number(limit),
        "tax_rate_override": _number(tax_rate),
        "email_verified": story.chance.random() < 0.7,
        "created_at": created_at,
        "updated_at": created_at + changed * age,
    }
    address = {"name": name, "street": street, "postalCode": postal_code, "city": city, "country": country}
    return Buyer(row=row, address=address, prices={})


def _number(cell: str) -> Decimal | None:
    return None if cell == "-" else Decimal(cell)
