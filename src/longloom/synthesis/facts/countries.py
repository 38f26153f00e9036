"""Names of countries as addresses write them, brought to one name each."""

_ALIASES = {
    "america": "United States of America",
    "brasil": "Brazil",
    "china (people's republic of china)": "China",
    "czech republic": "Czechia",
    "deutschland": "Germany",
    "england": "United Kingdom",
    "espana": "Spain",
    "great britain": "United Kingdom",
    "holland": "Netherlands",
    "korea": "South Korea",
    "northern ireland": "United Kingdom",
    "p. r. china": "China",
    "p.r. china": "China",
    "people's republic of china": "China",
    "peoples republic of china": "China",
    "pr china": "China",
    "republic of china": "Taiwan",
    "republic of ireland": "Ireland",
    "republic of korea": "South Korea",
    "russian federation": "Russia",
    "scotland": "United Kingdom",
    "the netherlands": "Netherlands",
    "turkiye": "Turkey",
    "u.k": "United Kingdom",
    "u.k.": "United Kingdom",
    "u.s.": "United States of America",
    "u.s.a": "United States of America",
    "u.s.a.": "United States of America",
    "uk": "United Kingdom",
    "united states": "United States of America",
    "us": "United States of America",
    "usa": "United States of America",
    "viet nam": "Vietnam",
    "wales": "United Kingdom",
}

_NAMES = (
    "Albania, Algeria, Argentina, Armenia, Australia, Austria, Azerbaijan, Bangladesh, Belarus, "
    "Belgium, Benin, Bolivia, Botswana, Brazil, Bulgaria, Burkina Faso, Burundi, Cambodia, "
    "Cameroon, Canada, Chile, China, Colombia, Costa Rica, Croatia, Cuba, Cyprus, Czechia, "
    "Denmark, Dominican Republic, Ecuador, Egypt, El Salvador, Estonia, Ethiopia, Fiji, Finland, "
    "France, Gabon, Gambia, Germany, Ghana, Greece, Guatemala, Guinea, Haiti, Honduras, "
    "Hong Kong, Hungary, Iceland, India, Indonesia, Iran, Iraq, Ireland, Israel, Italy, Jamaica, "
    "Japan, Jordan, Kazakhstan, Kenya, Kuwait, Laos, Latvia, Lebanon, Liberia, Lithuania, "
    "Luxembourg, Madagascar, Malawi, Malaysia, Mali, Malta, Mexico, Moldova, Monaco, Mongolia, "
    "Morocco, Mozambique, Myanmar, Namibia, Nepal, Netherlands, New Zealand, Nicaragua, Niger, "
    "Nigeria, North Macedonia, Norway, Oman, Pakistan, Panama, Papua New Guinea, Paraguay, Peru, "
    "Philippines, Poland, Portugal, Puerto Rico, Qatar, Romania, Russia, Rwanda, Saudi Arabia, "
    "Senegal, Serbia, Sierra Leone, Singapore, Slovakia, Slovenia, Somalia, South Africa, "
    "South Korea, Spain, Sri Lanka, Sudan, Sweden, Switzerland, Syria, Taiwan, Tanzania, "
    "Thailand, Togo, Tunisia, Turkey, Uganda, Ukraine, United Arab Emirates, United Kingdom, "
    "United States of America, Uruguay, Uzbekistan, Venezuela, Vietnam, Yemen, Zambia, Zimbabwe"
)
_BY_LOWER = {name.lower(): name for name in _NAMES.split(", ")}


def country_name(text: str) -> str:
    """Return the one name of a country; empty if the text names none."""
    lowered = text.strip().rstrip(".").lower()
    return _ALIASES.get(lowered) or _ALIASES.get(lowered + ".") or _BY_LOWER.get(lowered, "")
