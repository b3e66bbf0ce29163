"""Generates regions.tsv and examples.tsv from libphonenumber's metadata.

    git clone --depth 1 --branch v9.0.35 https://github.com/google/libphonenumber
    python3 generate.py libphonenumber/resources/PhoneNumberMetadata.xml v9.0.35
"""

import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree

# Descriptions whose numbers can be called from abroad.
KINDS = "fixedLine mobile pager tollFree premiumRate sharedCost personalNumber voip uan voicemail".split()
NOTICE = "# Derived from libphonenumber {version} (https://github.com/google/libphonenumber, Apache-2.0) by generate.py.\n"


def compact(text):
    return re.sub(r"\s+", "", text or "")


def pattern(territory, kind):
    return compact(territory.findtext(f"{kind}/nationalNumberPattern"))


def lengths(territory):
    """Possible lengths of national numbers: `9` and `[8-10]` and `8,[10-12]` become a list."""
    found = set()
    for kind in KINDS:
        possible = territory.find(f"{kind}/possibleLengths")
        for part in possible.get("national").split(",") if possible is not None else []:
            bounds = [int(bound) for bound in part.strip("[]").split("-") if bound != ""]
            found.update(range(bounds[0], bounds[-1] + 1))
    return ",".join(map(str, sorted(found - {-1})))


def main(path, version):
    territories = list(ElementTree.parse(path).iter("territory"))
    codes = [territory.get("countryCode") for territory in territories]
    is_main = lambda territory: territory.get("mainCountryForCode") or codes.count(territory.get("countryCode")) == 1
    rows, examples = [], []
    # The main region of a country code comes first.
    for territory in sorted(territories, key=lambda one: (int(one.get("countryCode")), not is_main(one), one.get("id"))):
        trunk = territory.get("nationalPrefixForParsing") or territory.get("nationalPrefix")
        rows.append([
            territory.get("id"),
            territory.get("countryCode"),
            compact(territory.get("internationalPrefix")),
            compact(trunk),
            compact(territory.get("nationalPrefixTransformRule")),
            lengths(territory),
            pattern(territory, "generalDesc"),
            pattern(territory, "mobile"),
        ])
        example = territory.findtext("mobile/exampleNumber")
        if example and territory.get("id") != "001":
            prefix = territory.get("nationalPrefix") or ""
            examples.append([territory.get("id"), territory.get("countryCode"), prefix, example])
    here = pathlib.Path(__file__).parent
    for name, header, table in [
        ("regions.tsv", "region code idd trunk transform lengths general mobile", rows),
        ("examples.tsv", "region code trunk national", examples),
    ]:
        lines = ["\t".join(header.split()), *map("\t".join, table)]
        (here / name).write_text(NOTICE.format(version=version) + "\n".join(lines) + "\n")


main(*sys.argv[1:])
