"""Writes repro's man page to stdout, from what `repro --experimental-dump-help` says on stdin.

usage: repro --experimental-dump-help | python3 manual.py VERSION DATE
"""

import json
import re
import sys

EXIT_STATUS = """\
0	done
1	a check failed: a hash is not the golden one, a submission is not valid, an audit found something
64	bad usage
65	bad input data
66	an input is missing
70	a bug
74	an input or output error"""

ENVIRONMENT = """\
DCMDICTPATH	DCMTK's data dictionary, instead of the one that comes with the program
REPRO_ISA	the instruction set that networks use, instead of the best that the processor has: scalar, avx2 or \
avx512. Results do not depend on it"""

FILES = """\
work/RECIPE	the work directory of a run, unless another is named: its inputs, catalog.sqlite, models, predictions, \
submissions and the record run.json
PREFIX/share/repro/dicom.dic	DCMTK's data dictionary, where PREFIX/bin/repro is the program
PREFIX/share/doc/repro/licences	the licence of everything inside; parts.tsv says what that is and its versions"""


def roff(text):
    """Text as roff prints it: neither backslashes nor a line's first character do anything, hyphens can be copied to a shell."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.M)


def emphasised(text):
    """Commands are quoted with backticks in the help's text."""
    return re.sub(r"`([^`]+)`", r"\\fB\1\\fP", roff(text))


def folded(command):
    """A command line of an example, in lines that a terminal of 80 columns has room for, as a shell takes them."""
    # An option stays with its value.
    lines, indent = [""], ""
    for words in re.split(r" (?=-)", command):
        if len(indent) + len(lines[-1]) + len(words) > 64:
            lines.append("")
            indent = "    "
        lines[-1] += (" " if lines[-1] else "") + words
    return " \\\n    ".join(lines)


def paragraphs(text):
    """The paragraphs of a help text; the lines of an example, which all start with the program's name, stay apart."""
    lines = []
    for paragraph in text.strip().split("\n\n"):
        lines.append(".PP")
        if paragraph.startswith("repro "):
            lines += [".nf", ".RS 4", roff("\n".join(map(folded, paragraph.split("\n")))), ".RE", ".fi"]
        else:
            lines.append(emphasised(paragraph))
    return lines


def shown(arguments):
    return [a for a in arguments if a["shouldDisplay"] and a.get("preferredName", {}).get("name") not in ("help", "version")]


def spelled(name):
    return {"long": "--", "short": "-", "longWithSingleDash": "-"}[name["kind"]] + name["name"]


def usage(argument):
    value = f"\\fI{roff(argument['valueName'])}\\fP"
    if argument["kind"] == "positional":
        text = value
    else:
        text = f"\\fB{roff(spelled(argument['preferredName']))}\\fP"
        if argument["kind"] == "option":
            text += "\\~" + value
    if argument["isRepeating"]:
        text += " ..."
    return f"[{text}]" if argument["isOptional"] else text


def entry(argument):
    """An argument as an item of a list."""
    if argument["kind"] == "positional":
        head = f"\\fI{roff(argument['valueName'])}\\fP"
    else:
        head = ", ".join(f"\\fB{roff(spelled(name))}\\fP" for name in argument["names"])
        if argument["kind"] == "option":
            head += f" \\fI{roff(argument['valueName'])}\\fP"
    text = argument.get("abstract", "")
    values = argument.get("allValues")
    if values and not all(value in text for value in values):
        text += f" One of {', '.join(values)}."
    if "defaultValue" in argument and "Default:" not in text:
        # The value here is that of the machine that packs.
        machine = argument.get("preferredName", {}).get("name") == "threads"
        text += f" Default: {'as many as processors' if machine else argument['defaultValue']}."
    return [".TP", head, emphasised(text)]


def items(table):
    """A list of terms and what they mean, a line each with a tab between."""
    lines = []
    for line in table.split("\n"):
        term, meaning = line.split("\t")
        lines += [".TP", f"\\fB{roff(term)}\\fP", roff(meaning)]
    return lines


def command_section(command, path):
    path = path + [command["commandName"]]
    subcommands = [s for s in command.get("subcommands", []) if s["shouldDisplay"]]
    arguments = shown(command.get("arguments", []))
    lines = [f".SS {roff(' '.join(path))}", emphasised(command.get("abstract", ""))]
    if not subcommands:
        lines += [".PP", ".HP 4", f"\\fB{roff(' '.join(path))}\\fP " + " ".join(usage(a) for a in arguments)]
    if command.get("discussion"):
        lines += paragraphs(command["discussion"])
    # The examples and the line of arguments have another indentation, which the list would take over.
    lines += [".PP"]
    for argument in arguments if not subcommands else []:
        lines += entry(argument)
    for subcommand in subcommands:
        lines += command_section(subcommand, path)
    return lines


def page(program, version, date):
    name = program["commandName"]
    commands = [s for s in program["subcommands"] if s["shouldDisplay"] and s["commandName"] != "help"]
    lines = [
        f'.TH {name.upper()} 1 {date} "{name} {version}" "User Commands"',
        # Neither justified nor hyphenated: options stay whole.
        ".ad l",
        ".nh",
        ".SH NAME",
        f"{name} \\- " + roff(program["abstract"][0].lower() + program["abstract"][1:].rstrip(".")),
        ".SH SYNOPSIS",
        f"\\fB{name}\\fP \\fIcommand\\fP [\\fIargument\\fP ...]",
        ".br",
        f"\\fB{name} help\\fP [\\fIcommand\\fP]",
        ".br",
        f"\\fB{name} \\-\\-version\\fP",
        ".SH DESCRIPTION",
        "Results go to standard output, progress and log to standard error. Every command that reports prints JSON with",
        "\\fB\\-\\-json\\fP. Every command has",
        "\\fB\\-h\\fP, \\fB\\-\\-help\\fP, which shows what is here about it.",
        ".SH COMMANDS",
    ]
    for command in commands:
        lines += command_section(command, [name])
    lines += [".SH EXIT STATUS"] + items(EXIT_STATUS)
    lines += [".SH ENVIRONMENT"] + items(ENVIRONMENT)
    lines += [".SH FILES"] + items(FILES)
    return "\n".join(lines) + "\n"


sys.stdout.write(page(json.load(sys.stdin)["command"], *sys.argv[1:]))
