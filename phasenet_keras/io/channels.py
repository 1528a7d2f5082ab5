"""Channel codes of the world, and the component (E, N, Z) that each stands for."""

from __future__ import annotations

from collections.abc import Iterable

from phasenet_keras.types import ConfigError

__all__ = [
    "COMPONENTS",
    "KNOWN_LETTERS",
    "are_sensors",
    "channel_names",
    "claims_of",
    "component_letter",
    "component_prefix",
    "components_of",
    "is_for_picks",
    "is_of_seismometer",
    "is_pressure",
    "seed_codes",
    "sensor_of",
]

# In the order that records of ours have them in.
COMPONENTS = ("E", "N", "Z")
# Whole names, as Japanese networks write them, with and without a sensor's number.
WORDS = {"EW": "E", "NS": "N", "UD": "Z"}
# Components that are no aliases, then the horizontal pairs; "1" and "2" depend on the company.
LETTERS = {"E": "E", "N": "N", "Z": "Z", "U": "E", "V": "N", "R": "N", "T": "E", "X": "E", "Y": "N"}
WITH_VERTICAL = {"1": "N", "2": "E"}
WITHOUT_VERTICAL = {"3": "E", "2": "N", "1": "Z"}
# Up or vertical, where one of them is beside other horizontals and nothing else is the vertical.
UP = {"U", "V"}
# Of no component: where codes end in one of these and all in numbers, they count sensors.
OTHER_NUMBERS = set("0456789")
# Of pressure, as SEED has it: hydrophone, infrasound, outside, inside, down a hole, underground.
PRESSURE_LETTERS = "HFOIDU"
# Of ground motion: high and low gain, accelerometer, gravimeter, geophone.
SEISMOMETERS = "HLNGP"
# SEED's bands below 10 Hz, then those of a logger's administration.
BANDS_NOT_PICKED = "MLVUWRPTQ" + "AO"
KNOWN_LETTERS = (*LETTERS, *WITHOUT_VERTICAL)


def component_prefix(code: str) -> str:
    """Return the part of a channel code that all components of an instrument share.

    Example:
        >>> component_prefix("HHZ"), component_prefix("Z"), component_prefix("UD"), \
component_prefix("ns2")
        ('HH', '', '', '2')
    """
    if code[:2].upper() in WORDS:
        return code[2:]
    return code[:-1]


def seed_codes(station: str) -> tuple[str, str, str, str]:
    """Return network, station, location and instrument; a name that is no SEED id is a station's.

    Example:
        >>> seed_codes("CX.PB01..HH"), seed_codes("line.7")
        (('CX', 'PB01', '', 'HH'), ('', 'line.7', '', ''))
    """
    parts = station.split(".")
    return (parts[0], parts[1], parts[2], parts[3]) if len(parts) == 4 else ("", station, "", "")


def sensor_of(station: str) -> str:
    """Return what tells a sensor of a station from others: its location, and a number in its codes.

    Args:
        station: a SEED id, with the code of a channel or of an instrument, or without.

    Returns:
        Location and number; empty where the id has no location. Bands and instruments at one place
        are one sensor.

    Example:
        >>> [sensor_of(f"BO.A.{name}") for name in ("10.HHZ", "10.HN", ".UD2", ".2", ".HH")]
        ['10.', '10.', '.2', '.2', '.']
        >>> sensor_of("BO.A"), sensor_of("line.7")
        ('', '')
    """
    parts = [part.strip(" -") for part in station.split(".")]
    if len(parts) not in (3, 4) or parts[2] == "*":
        return ""
    location, code = parts[2], "".join(parts[3:])
    number = code[2:] if code[:2].upper() in WORDS else code
    return f"{location.zfill(2) if location else ''}.{number if number.isdecimal() else ''}"


def is_pressure(code: str) -> bool:
    """Tell if a channel code is one of pressure by SEED: its instrument is D.

    Example:
        >>> [is_pressure(code) for code in ("HDH", "BDF", "HHZ", "UD1", "H")]
        [True, True, False, False, False]
    """
    upper = code.upper()
    return len(upper) == 3 and upper[1] == "D" and upper[2] in PRESSURE_LETTERS


def is_of_seismometer(code: str) -> bool:
    """Tell if a code of known component is of ground motion: SEED's instrument, or none.

    Example:
        >>> [is_of_seismometer(code) for code in ("HHZ", "HNZ", "Z", "UD2", "VMZ", "LKO", "HHF")]
        [True, True, True, True, False, False, False]
    """
    instrument = component_prefix(code)[1:2].upper()
    return instrument in {"", *SEISMOMETERS} and component_letter(code) in KNOWN_LETTERS


def is_for_picks(station: str) -> bool:
    """Tell if an instrument is to be picked: False if SEED's codes say that it is too slow or none.

    Clocks, mass positions and voltages are no instruments, bands L and V too slow. Names that are
    no SEED id, codes that are not of band and instrument, and computed records (SPECFEM's BX) are
    to be picked.

    Example:
        >>> [is_for_picks(f"XX.A..{code}") for code in ("HH", "EN", "HD", "BX", "LH", "VM", "LC")]
        [True, True, True, True, False, False, False]
        >>> is_for_picks("line 7"), is_for_picks("XX.A..")
        (True, True)
    """
    instrument = seed_codes(station)[3].upper()
    if len(instrument) != 2:
        return True
    return instrument[0] not in BANDS_NOT_PICKED and instrument[1] in f"{SEISMOMETERS}DX"


def channel_names(wanted: str | Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    """Return the components that a person names, for a network.

    Args:
        wanted: ``"Z"``, ``"ZN"``, ``"Z,N,E"``, ``"12Z"``, in capitals or not, or several names.
        known: channels of the network, which are taken as they are.

    Raises:
        ConfigError: for a name that is neither known nor a component, or one component twice.

    Example:
        >>> channel_names("z,n", "ENZ"), channel_names("12Z", "ENZ")
        (('Z', 'N'), ('N', 'E', 'Z'))
    """
    known = tuple(known)
    if not isinstance(wanted, Iterable):
        raise ConfigError(f'channels are names, such as "Z" or "ENZ", received {wanted!r}')
    if isinstance(wanted, str):
        separated = wanted.replace(",", " ").split()
        is_one_word = len(separated) == 1 and separated[0] not in known
        names = tuple(separated[0]) if is_one_word else tuple(separated)
    else:
        names = tuple(str(name) for name in wanted)
    if names and len(set(names)) == len(names) and all(name in known for name in names):
        return names
    components = components_of(names)
    unknown = [n for n in names if n not in components or component_letter(n) not in KNOWN_LETTERS]
    if unknown or not names or len(set(names)) != len(names):
        raise ConfigError(
            f"channels are components such as {','.join(known)}, each once, of the letters "
            f"{', '.join((*LETTERS, *sorted(WITHOUT_VERTICAL), *WORDS))}; received "
            f"'{wanted if isinstance(wanted, str) else ','.join(names)}'"
        )
    return tuple(components[name] for name in names)


def components_of(codes: Iterable[str]) -> dict[str, str]:
    """Return the component of each channel code of one instrument, codes not understood left out.

    ==================  ======================================================================
    codes               components
    ==================  ======================================================================
    E, N, Z             themselves, in capitals or not, alone or at a code's end (``HHZ``)
    1, 2, Z             N, E, Z (the SEED manual: horizontals turned against N and E)
    3, 2, 1             E, N, Z (as the official PhaseNet reads three numbered channels)
    U, V, Z             E, N, Z
    E, N, U (or V)      E, N, Z (up, vertical), and so beside other horizontals
    R, T, Z             N, E, Z (radial and transverse: a turned N and E)
    X, Y, Z             E, N, Z
    EW, NS, UD          E, N, Z
    1, 2, 3, 4 and on   none: sensors that are counted (`are_sensors`)
    one code, unknown   Z (so those of a hydrophone, where its station has no other vertical)
    ==================  ======================================================================

    Where two codes stand for one component, the plainer one (E, N, Z themselves) counts.

    Example:
        >>> components_of(["EH1", "EH2", "EHZ"])
        {'EH1': 'N', 'EH2': 'E', 'EHZ': 'Z'}
        >>> components_of(["EW", "NS", "UD"]), components_of(["CH7"])
        ({'EW': 'E', 'NS': 'N', 'UD': 'Z'}, {'CH7': 'Z'})
    """
    codes = list(codes)
    found: dict[str, str] = {}
    for code, component in claims_of(codes).items():
        if component not in found.values():
            found[code] = component
    return {code: found[code] for code in codes if code in found}


def claims_of(codes: Iterable[str]) -> dict[str, str]:
    """Return the component that each code stands for, also where several stand for one.

    Args:
        codes: of one instrument, maybe of several years; see `components_of`.

    Returns:
        By code, the plainer ones first.

    Example:
        >>> claims_of(["HH1", "HH2", "HHE", "HHN", "HHZ"])
        {'HHE': 'E', 'HHN': 'N', 'HHZ': 'Z', 'HH1': 'N', 'HH2': 'E'}
    """
    codes = list(codes)
    if are_sensors(codes):
        return {}
    letters = {code: component_letter(code) for code in codes}
    has_vertical = "Z" in letters.values()
    numbered = WITHOUT_VERTICAL if "3" in letters.values() and not has_vertical else WITH_VERTICAL
    known = {**numbered, **LETTERS}
    letters_there = set(letters.values())
    others = letters_there & (known.keys() - UP)
    if not has_vertical and "3" not in others and others and len(UP & letters_there) == 1:
        known |= dict.fromkeys(UP, "Z")
    plain_first = sorted(codes, key=lambda code: letters[code] not in "ENZ")
    claims = {code: known[letters[code]] for code in plain_first if letters[code] in known}
    alone = codes if len(codes) == 1 else [code for code in codes if is_pressure(code)]
    return claims or dict.fromkeys(alone, "Z")


def are_sensors(codes: Iterable[str]) -> bool:
    """Tell if the codes of one instrument count sensors: all are numbers, some above 3.

    Example:
        >>> are_sensors(["S01", "S02", "S03", "S04"]), are_sensors(["S01", "S02", "S03"])
        (True, False)
        >>> are_sensors(["CH7"]), are_sensors(["EH1", "EH4", "EHZ"])
        (False, False)
    """
    letters = {component_letter(code) for code in codes}
    return len(letters) > 1 and bool(letters & OTHER_NUMBERS) and "".join(letters).isdecimal()


def component_letter(code: str) -> str:
    """Return the letter or number of a code that says its component, in capitals.

    Example:
        >>> component_letter("bhz"), component_letter("NS2"), component_letter("")
        ('Z', 'N', '?')
    """
    upper = code.upper()
    return WORDS.get(upper[:2]) or (upper[-1:] or "?")
