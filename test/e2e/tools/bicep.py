"""Checks Bicep files as far as that is possible without the compiler, which is not on npm or PyPI.

    bicep.py FILE...

Their syntax is that of tree-sitter's grammar. Every name that is used is declared, every declared one
is used, every function is one that Bicep has, and a module is given exactly the parameters that its
file wants. Resource types and their properties are not looked at.
"""

import pathlib
import re
import sys

import tree_sitter
import tree_sitter_bicep

PARSER = tree_sitter.Parser(tree_sitter.Language(tree_sitter_bicep.language()))
DECLARATIONS = {"parameter_declaration", "variable_declaration", "resource_declaration", "module_declaration"}
FUNCTIONS = set(
    """allowed description maxLength maxValue metadata minLength minValue secure
    empty environment filter guid items map replace resourceGroup subscription subscriptionResourceId
    string tenant toLower toObject union uniqueString""".split()
)


def text(node):
    return node.text.decode()


def nodes(node):
    yield node
    for child in node.children:
        yield from nodes(child)


def first(node):
    return node.named_children[0]


class File:
    def __init__(self, path):
        self.path, self.problems = path, []
        source = path.read_text()
        # The grammar does not know extensions; what they declare is not used by name.
        tree = PARSER.parse(re.sub(r"(?m)^extension \w+$", "", source).encode())
        self.declared, self.used, self.params, self.modules, later = {}, set(), {}, [], []
        local, skip = set(), set()
        for node in nodes(tree.root_node):
            if node.type == "ERROR" or node.is_missing:
                self.problem(node, "syntax error")
            elif node.type in DECLARATIONS:
                name = first(node)
                skip.add(name.id)
                self.declared[text(name)] = name
                if node.type == "parameter_declaration":
                    self.params[text(name)] = any(c.type == "=" for c in node.children)
                elif node.type == "module_declaration":
                    self.modules.append(node)
            elif node.type == "output_declaration" or node.type == "object_property":
                skip.add(first(node).id)
            elif node.type in ("for_statement", "lambda_expression"):
                skip.add(first(node).id)
                local.add(text(first(node)))
            elif node.type == "call_expression":
                skip.add(first(node).id)
                if first(node).type == "identifier" and text(first(node)) not in FUNCTIONS:
                    self.problem(node, f"function {text(first(node))} is not known")
            elif node.type == "identifier" and node.id not in skip:
                self.used.add(text(node))
                if text(node) not in self.declared | dict.fromkeys(local):
                    later.append(node)
        for node in later: # variables may come before what they use
            if text(node) not in self.declared:
                self.problem(node, f"{text(node)} is not declared")
        for name, node in self.declared.items():
            kind = node.parent.type
            if name not in self.used and kind in ("parameter_declaration", "variable_declaration"):
                self.problem(node, f"{name} is not used")

    def problem(self, node, what):
        self.problems.append(f"{self.path}:{node.start_point[0] + 1}: {what}")

    def check_modules(self):
        for module in self.modules:
            file = next(c for c in module.named_children if c.type == "string")
            wanted = File(self.path.parent / text(file).strip("'")).params
            given = set()
            for node in nodes(module):
                if node.type == "object_property" and text(first(node)) == "params":
                    given = {text(first(p)) for p in node.named_children[1].named_children if p.type == "object_property"}
            for name in sorted(given - set(wanted)):
                self.problem(module, f"{text(file)} has no parameter {name}")
            for name in sorted(set(wanted) - given):
                if not wanted[name]:
                    self.problem(module, f"{text(file)} wants the parameter {name}")


problems = []
for arg in sys.argv[1:]:
    checked = File(pathlib.Path(arg))
    checked.check_modules()
    problems += checked.problems
print("\n".join(problems), end="")
sys.exit(bool(problems))
