"""An agent's `--config` file: YAML, the long options in camelCase. Takes text and opens nothing."""

from furiosa_npu.agent.command_line import SettingsError
from furiosa_npu.agent.options import EntryError, Option, Value, describe, from_yaml


def read_config(text: str, options: tuple[Option, ...], file: str = "configuration file") -> dict[str, Value]:
    """What the file says: `Option.field` to value, only what is given in it. An empty file says nothing.

    `file` is its name for errors. An unknown key, a key given twice or a wrong type is an error: a typing mistake that
    is passed over would leave a card in use that someone meant to take out. Raises SettingsError.
    """
    import yaml  # resident memory: most agents run without a file

    try:
        # A few lines of aliases of aliases are gigabytes, once merged or put into words.
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
            raise SettingsError(f"{file}: found an alias (*name), expected none")
        _refuse_twice(yaml.compose(text, Loader=yaml.SafeLoader), file)
        document = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError, LookupError, AttributeError) as error:
        # LookupError and AttributeError are PyYAML's answer to tags such as `!!bool x` and `!!timestamp x`.
        what = " ".join(str(error).split())
        raise SettingsError(f"{file}: found what is no YAML ({what}), expected options in camelCase") from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise SettingsError(f"{file}: found {_type(document)}, expected a mapping of options in camelCase")
    by_key = {option.key: option for option in options}
    values: dict[str, Value] = {}
    for key, value in document.items():
        option = by_key.get(key) if isinstance(key, str) else None
        if option is None:
            raise SettingsError(f"{file}: found the unknown key {_shown(key)}, expected one of {', '.join(by_key)}")
        try:
            values[option.field] = from_yaml(option, value)
        except EntryError as error:
            found = f"{_type(error.entry)} {_shown(error.entry)}".rstrip()
            raise SettingsError(f"{file}: {key}: found {found} in the list, expected {error}") from None
        except ValueError as error:
            found = f"{_type(value)} {_shown(value)}".rstrip()
            raise SettingsError(f"{file}: {key}: found {found}, expected {error or describe(option)}") from None
    return values


def _refuse_twice(node: object, file: str) -> None:
    """PyYAML lets the last of two equal keys win, without a word."""
    seen: set[str] = set()
    pairs = getattr(node, "value", None)
    for pair in pairs if isinstance(pairs, list) else ():
        if not isinstance(pair, tuple):
            continue
        key = str(getattr(pair[0], "value", ""))
        if key in seen:
            raise SettingsError(f"{file}: found the key '{key}' twice, expected it once")
        seen.add(key)


def _type(value: object) -> str:
    names = {"NoneType": "nothing (null)", "str": "the text", "bool": "the truth value", "int": "the number"}
    names |= {"float": "the number", "list": "a list", "dict": "a mapping"}
    return names.get(type(value).__name__, type(value).__name__)


def _shown(value: object) -> str:
    if value is None or isinstance(value, dict):
        return ""
    text = "on" if value is True else "off" if value is False else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
