"""The customers of the demo company, one in a line, and the price overrides of some of them.

A line is `name | email | street | postal code and city | credit limit | tax rate | notes`; `-` is null. Every email
ends in `.example`, a domain that is reserved for documentation.
"""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from models import CENT, CustomerStatus, new_id

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
POSTAL_CODE_AND_CITY = re.compile(r"([0-9]+(?: [A-Z]{2})?) (.+)")
BLOCKED = "Blocked:"
FIRST_CUSTOMERS = 12  # customers since the first days of the company
CUSTOMERS_WITH_OVERRIDES = 10

RowValues = dict[str, object]  # the columns of a row to insert


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """The company whose history is generated, when the history ends, its length, and the source of random numbers."""

    company_id: str
    now: datetime
    length: timedelta
    rng: random.Random


class OrderableProduct(NamedTuple):
    """What an order needs of a product."""

    id: str
    price: Decimal
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class DemoCustomer:
    """What an order needs of a customer. A customer who has been blocked does not order from `blocked_at` on."""

    id: str
    created_at: datetime
    blocked_at: datetime | None
    tax_rate_override: Decimal | None
    address: dict[str, str]
    price_overrides: dict[str, Decimal] = field(default_factory=dict)  # by the id of a product


def generate(scenario: Scenario) -> list[tuple[DemoCustomer, RowValues]]:
    """Return the customers with their rows: some as old as the company, the others gained over its history."""
    rng = scenario.rng
    lines = [(country, line) for country, lines in CUSTOMERS.items() for line in lines.strip().splitlines()]
    rng.shuffle(lines)
    ages = sorted((rng.uniform(0.25, 0.95) for _ in lines), reverse=True)
    ages[:FIRST_CUSTOMERS] = sorted((rng.uniform(0.97, 1) for _ in range(FIRST_CUSTOMERS)), reverse=True)
    pairs = zip(lines, ages, strict=True)
    return [_customer(scenario, country, line, age * scenario.length) for (country, line), age in pairs]


def override_prices(
    scenario: Scenario, customers: Sequence[DemoCustomer], products: Sequence[OrderableProduct]
) -> Iterator[RowValues]:
    """Yield price overrides, five to fifteen per cent below the catalogue, and add them to the customers."""
    rng = scenario.rng
    for customer in rng.sample(customers, CUSTOMERS_WITH_OVERRIDES):
        for product in rng.sample(products, rng.randint(3, 8)):
            discount = Decimal(rng.randint(85, 95)) / 100
            price = customer.price_overrides[product.id] = (product.price * discount).quantize(CENT)
            created_at = max(customer.created_at, product.created_at)
            yield {
                "id": new_id(created_at),
                "company_id": scenario.company_id,
                "customer_id": customer.id,
                "product_id": product.id,
                "price": price,
                "created_at": created_at,
            }


def _customer(scenario: Scenario, country: str, line: str, age: timedelta) -> tuple[DemoCustomer, RowValues]:
    name, email, street, postal_code_and_city, limit, tax_rate, notes = line.split(" | ")
    postal_code, city = POSTAL_CODE_AND_CITY.fullmatch(postal_code_and_city).groups()  # type: ignore[union-attr]  # all lines match
    is_blocked = notes.startswith(BLOCKED)
    created_at = scenario.now - age
    updated_at = created_at + age * (scenario.rng.uniform(0.5, 0.9) if is_blocked else scenario.rng.random())
    customer = DemoCustomer(
        id=new_id(created_at),
        created_at=created_at,
        blocked_at=updated_at if is_blocked else None,
        tax_rate_override=_number(tax_rate),
        address={"name": name, "street": street, "postalCode": postal_code, "city": city, "country": country},
    )
    row: RowValues = {
        "id": customer.id,
        "company_id": scenario.company_id,
        "email": f"{email}.example",
        "external_id": None,
        "name": name,
        "status": CustomerStatus.BLOCKED if is_blocked else CustomerStatus.ACTIVE,
        "notes": None if notes == "-" else notes,
        "credit_limit": _number(limit),
        "tax_rate_override": customer.tax_rate_override,
        "email_verified": scenario.rng.random() < 0.7,
        "created_at": created_at,
        "updated_at": updated_at,
    }
    return customer, row


def _number(cell: str) -> Decimal | None:
    return None if cell == "-" else Decimal(cell)
