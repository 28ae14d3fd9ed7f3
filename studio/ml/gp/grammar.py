"""Kernels as text, both ways: `parse("1.2*RBF(0.4) + Periodic(1)*Linear")`, and `str(kernel)`, which reads back equal.

    sum     = product { "+" product }
    product = factor { "*" factor }           a number in a product multiplies the kernel to its right: Scale
    factor  = number | name [ "(" arguments ")" ] | "(" sum ")"
    argument = [ name "=" ] ( number | "[" number { "," number } "]" | sum )

A number alone in a sum is a Constant. Names are read in upper or lower case; `ALIASES` are other usual ones.
"""

from __future__ import annotations

import dataclasses
import re
from typing import NamedTuple, NoReturn

from studio.ml.gp.dot_product import ArcCosine, Constant, Linear, Polynomial
from studio.ml.gp.errors import BadKernel, KernelTextError
from studio.ml.gp.kernel import Kernel, Product, Scale, Sum, written
from studio.ml.gp.oscillating import Periodic, SpectralMixture
from studio.ml.gp.processes import Brownian, ChangePoint, White
from studio.ml.gp.stationary import RBF, Matern12, Matern32, Matern52, RationalQuadratic

KERNELS: tuple[type[Kernel], ...] = (
    *(RBF, Matern12, Matern32, Matern52, RationalQuadratic, Periodic, SpectralMixture),
    *(Linear, Polynomial, Constant, ArcCosine, White, Brownian, ChangePoint),
)
"""Every kernel that text can name, in the order in which to offer them."""

ALIASES = {
    "se": "RBF",
    "squaredexponential": "RBF",
    "gaussian": "RBF",
    "exponential": "Matern12",
    "rq": "RationalQuadratic",
    "per": "Periodic",
    "expsinesquared": "Periodic",
    "sm": "SpectralMixture",
    "lin": "Linear",
    "poly": "Polynomial",
    "noise": "White",
    "cp": "ChangePoint",
}

DEEPEST = 50
"""How many brackets may stand within each other: far more than a person reads, far fewer than the stack holds."""

TOKEN = re.compile(r"\s*(?:(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)|(?P<word>[A-Za-z_]\w*)|(?P<mark>\S))")


class Token(NamedTuple):
    """kind: "number", "word", a mark itself, or "end"; column counts from 1."""

    kind: str
    text: str
    column: int


def parse(text: str) -> Kernel:
    """The kernel that `text` describes. Raises KernelTextError, which says where and what was expected."""
    return _Reader(text).whole()


def usage(kind: type[Kernel]) -> str:
    """How a kernel is written with its usual values, such as "Periodic(period=1, length=1)"."""
    fields = dataclasses.fields(kind)
    arguments = (f.name if f.default is dataclasses.MISSING else f"{f.name}={written(f.default)}" for f in fields)
    return f"{kind.__name__}({', '.join(arguments)})"


class _Reader:
    """Recursive descent over the tokens, one method for each rule."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_tokens(text))
        self._at = 0
        self._depth = 0

    def whole(self) -> Kernel:
        if self._now.kind == "end":
            self._fail("a kernel, such as RBF(0.4), was expected, but there is no text")
        kernel = self._sum()
        if self._now.kind != "end":
            self._fail(f'"+", "*" or the end was expected after "{kernel}"')
        return kernel

    @property
    def _now(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        token = self._now
        self._at += token.kind != "end"
        return token

    def _fail(self, expected: str, at: Token | None = None) -> NoReturn:
        raise KernelTextError((at or self._now).column, expected, self._text)

    def _expect(self, kind: str, what: str) -> Token:
        if self._now.kind != kind:
            found = "the text ends" if self._now.kind == "end" else f'"{self._now.text}" stands there'
            self._fail(f"{what} was expected, but {found}")
        return self._take()

    def _sum(self) -> Kernel:
        self._depth += 1
        if self._depth > DEEPEST:
            self._fail(f"no more than {DEEPEST} brackets within each other were expected")
        terms = [self._product()]
        while self._now.kind == "+" or (self._now.kind == "number" and self._now.text[0] == "+"):
            if self._now.kind == "+":
                self._take()
            terms.append(self._product())
        self._depth -= 1
        return terms[0] if len(terms) == 1 else Sum(tuple(terms))

    def _product(self) -> Kernel:
        factors = [self._factor()]
        while self._now.kind == "*":
            self._take()
            factors.append(self._factor())
        return self._multiplied(factors)

    def _multiplied(self, factors: list[Kernel | Token]) -> Kernel:
        """Numbers multiply the next kernel to their right, or the product so far where none follows."""
        kernels: list[Kernel] = []
        waiting: list[Token] = []
        for factor in factors:
            if isinstance(factor, Token):
                waiting.append(factor)
                continue
            while waiting:
                factor = self._scaled(waiting.pop(), factor)
            kernels.append(factor)
        if not kernels:
            number = self._made(Constant, waiting[0], value=float(waiting[0].text))
            return number if len(waiting) == 1 else self._behind(waiting[1:], number)
        product = kernels[0] if len(kernels) == 1 else Product(tuple(kernels))
        return self._behind(waiting, product)

    def _behind(self, numbers: list[Token], kernel: Kernel) -> Kernel:
        for number in numbers:
            kernel = self._scaled(number, kernel)
        return kernel

    def _scaled(self, number: Token, kernel: Kernel) -> Kernel:
        return self._made(Scale, number, variance=float(number.text), kernel=kernel)

    def _factor(self) -> Kernel | Token:
        token = self._take()
        if token.kind == "number":
            return token
        if token.kind == "(":
            kernel = self._sum()
            self._expect(")", f'")" for the "(" of column {token.column}')
            return kernel
        if token.kind == "word":
            return self._named(token)
        self._at -= token.kind != "end"
        found = "the text ends" if token.kind == "end" else f'"{token.text}" stands there'
        self._fail(f"a kernel, a number or an opening bracket was expected, but {found}")

    def _named(self, word: Token) -> Kernel:
        kinds = {kind.__name__.lower(): kind for kind in KERNELS}
        kind = kinds.get(ALIASES.get(word.text.lower(), word.text).lower())
        if kind is None:
            self._fail(f'there is no kernel "{word.text}"; there are {", ".join(k.__name__ for k in KERNELS)}', word)
        arguments: dict[str, object] = {}
        if self._now.kind == "(":
            self._take()
            while self._now.kind != ")":
                self._argument(kind, arguments)
                if self._now.kind != ")":
                    self._expect(",", f'"," or ")" in {usage(kind)}')
            self._take()
        needed = [field.name for field in dataclasses.fields(kind) if field.default is dataclasses.MISSING]
        missing = [name for name in needed if name not in arguments]
        if missing:
            self._fail(f"{' and '.join(missing)} must be given: {usage(kind)}", word)
        return self._made(kind, word, **arguments)

    def _argument(self, kind: type[Kernel], arguments: dict[str, object]) -> None:
        fields = {field.name: field for field in dataclasses.fields(kind)}
        start = self._now
        if start.kind == "word" and self._tokens[self._at + 1].kind == "=":
            name = start.text
            self._at += 2
            if name not in fields or name in arguments:
                wrong = "is given twice" if name in arguments else "is not one of its values"
                self._fail(f'"{name}" {wrong}: {usage(kind)}', start)
        else:
            left = [field for field in fields if field not in arguments]
            if not left:
                self._fail(f"nothing more was expected: {usage(kind)}")
            name = left[0]
        arguments[name] = self._value(kind, name, str(fields[name].type))

    def _value(self, kind: type[Kernel], name: str, type_: str) -> object:
        if type_ == "Kernel":
            return self._sum()
        what = f"{name}, {'a list of numbers' if type_.startswith('tuple') else 'a number'} as in {usage(kind)},"
        if self._now.kind == "[" and "tuple" in type_:
            self._take()
            values = [float(self._expect("number", f"a number in {name}").text)]
            while self._now.kind == ",":
                self._take()
                values.append(float(self._expect("number", f"a number in {name}").text))
            self._expect("]", f'"," or "]" in {name}')
            return tuple(values)
        if type_.startswith("tuple"):
            return (float(self._expect("number", what).text),)
        number = self._expect("number", what)
        if type_ == "int" and float(number.text) == int(float(number.text)):
            return int(float(number.text))
        return float(number.text)

    def _made(self, kind: type[Kernel], at: Token, **arguments: object) -> Kernel:
        try:
            return kind(**arguments)
        except BadKernel as error:
            self._fail(str(error), at)


def _tokens(text: str) -> list[Token]:
    found = []
    for match in TOKEN.finditer(text):
        kind = match.lastgroup or ""
        word = match[kind]
        found.append(Token(word if kind == "mark" else kind, word, match.start(kind) + 1))
    return [*found, Token("end", "", len(text.rstrip()) + 1)]
