"""`--help`, from the declared options: imported only where someone asks for it."""

from furiosa_npu.agent.command_line import Program
from furiosa_npu.agent.options import Option, Value

_WIDTH = 100


def help_text(program: Program) -> str:
    """The whole text, ending with a newline."""
    words = [program.name, "[OPTIONS]"]
    if program.subcommands:
        words.append("[" + "|".join(subcommand.name for subcommand in program.subcommands) + "]")
    lines = [f"Usage: {' '.join(words)}", "", *_wrap(program.summary, "")]
    if program.subcommands:
        lines += ["", "Subcommands:"]
        for subcommand in program.subcommands:
            lines += [f"  {subcommand.name}", *_wrap(subcommand.help, "      ")]
    lines += ["", "Options:"]
    for option in program.options:
        lines += [f"  --{option.name} {option.placeholder}", *_wrap(option.help, "      "), f"      {_origins(option)}"]
    lines += [
        "  --config FILE",
        "      YAML file with the same options in camelCase; command line and environment win over it.",
        "  --help, --version",
    ]
    return "\n".join(lines) + "\n"


def _origins(option: Option) -> str:
    parts = [f"default: {_shown(option.default)}"]
    if option.env:
        parts.append("environment: " + ", else ".join(option.env))
    parts.append(f"in the file: {option.key}")
    if option.kind == "list":
        parts.append("may be given several times")
    return "; ".join(parts)


def _shown(default: Value) -> str:
    if default is None or default == ():
        return "none"
    if isinstance(default, bool):
        return "on" if default else "off"
    return str(default)


def _wrap(text: str, indent: str) -> list[str]:
    lines: list[str] = []
    line = indent
    for word in text.split():
        if len(line) + 1 + len(word) > _WIDTH and line.strip():
            lines.append(line)
            line = indent
        line += word if line == indent else f" {word}"
    return [*lines, line]
