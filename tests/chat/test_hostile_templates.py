"""Templates that are broken or hostile: one sentence with a place, within a second or so."""

from __future__ import annotations

import pickle
import time

import pytest

from core.chat.conversation import parse_conversation
from core.chat.rendering import ChatTemplate, render
from core.chat.template_errors import BrokenTemplate, ForbiddenAccess, RefusedConversation, TooCostly

CONVERSATION = parse_conversation([{"role": "user", "content": "hi"}])
GROWING = "{%% set ns = namespace(x=%s) %%}{%% for i in range(99) %%}{%% set ns.x = %s %%}{%% endfor %%}{{ ns.x }}"
BIG = "('a' * 1000000)"


def _error(source: str) -> BrokenTemplate:
    with pytest.raises(BrokenTemplate) as caught:
        render(ChatTemplate(source), CONVERSATION)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    "source",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
        "{% for a in range(99999) %}{{ 'x' * 1000 }}{% endfor %}",
        "{% for a in range(99999) %}{{ range(99999) | list | length }}{% endfor %}",
        "{% for a in range(99999) %}{{ ('a' * 100000).count('b') }}{% endfor %}",
        GROWING % ("'a'", "ns.x + ns.x"),
        GROWING % ("'a'", "ns.x ~ ns.x"),
        GROWING % ("[1]", "[ns.x, ns.x]"),
        GROWING % ("[1]", "{'a': ns.x, 'b': ns.x}"),
        GROWING % ("[1]", "(ns.x, ns.x)"),
        GROWING % ("[1]", "ns.x + ns.x"),
        GROWING % ("2", "ns.x * ns.x"),
        "{{ 'a' * 10**9 }}",
        "{{ 10**9 * 'a' }}",
        "{{ [1] * 10**9 }}",
        "{{ 9 ** 999999999 }}",
        "{{ 'a'.center(10**9) }}",
        "{{ 'a' | center(10**9) }}",
        "{{ 'a'.zfill(width=10**9) if false else 'a'.ljust(10**9) }}",
        "{{ range(99999) | map('center', 99999) | list }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ '%*d' % (1000000000, 1) }}",
        "{{ '{:>1000000000}'.format(1) }}",
        "{{ '{:{w}}'.format(1, w=1000000000) }}",
        "{{ ('{0}' * 100000).format(BIG) }}",
        "{{ ('%(a)s' * 100000) % {'a': BIG} }}",
        "{{ ('%(a)s' * 100000) | format(a=BIG) }}",
        "{{ BIG.replace('a', BIG) }}",
        "{{ BIG | replace('a', BIG) }}",
        "{{ BIG.join(['a'] * 100000) }}",
        "{{ (['a'] * 100000) | join(BIG) }}",
        "{{ ('a\\n' * 100000) | indent('b' * 10000) }}",
        "{{ ('a' * 100000).translate({97: BIG}) }}",
        "{{ 'a\\t'.expandtabs(10**9) }}",
        "{{ messages | tojson(indent=10**9) }}",
        "{{ messages | tojson(separators=(BIG, ':')) }}",
        "{{ ([[1]] * 100000) | sum(start=[]) }}",
        "{{ [1] | batch(10**9, 'x') | list }}",
        "{{ [1] | slice(10**9) | list }}",
        "{{ 1.5 | round(10**9, 'ceil') }}",
        "{{ (5).to_bytes(10**9, 'big') }}",
        "{{ BIG | wordwrap(1) }}",
        "{{ BIG | urlize }}",
        "{{ range(10**9) | list }}",
    ],
)
def test_that_a_template_that_would_use_too_much_is_stopped_soon(source: str) -> None:
    start = time.thread_time()
    assert type(_error(source.replace("BIG", BIG))) is TooCostly
    assert time.thread_time() - start < 5


@pytest.mark.parametrize(
    "source",
    [
        "{% include '/etc/passwd' %}",
        "{% import '/etc/passwd' as x %}",
        "{% from '/etc/passwd' import x %}",
        "{% extends '/etc/passwd' %}",
        "{{ ''.__class__.__mro__ }}",
        "{{ (messages | attr('__class__')).__mro__ }}",
        "{{ '{0.__class__.__mro__}'.format(messages) }}",
        "{{ messages.append(1) }}",
        "{{ messages[0].update(role='x') }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ raise_exception.__globals__['json'] }}",
        "{{ messages[0].content.join.__func__.__globals__ }}",
        "{{ messages[0].content._runs[0] }}",
        "{{ namespace(_a=1) }}",
        "{% set ns = namespace() %}{% set ns.__class__ = 1 %}",
    ],
)
def test_that_a_template_cannot_reach_files_or_the_inside_of_python(source: str) -> None:
    assert type(_error(source)) is ForbiddenAccess


@pytest.mark.parametrize(
    ("source", "line", "column", "words"),
    [
        ("{% if %}", 1, 7, "Expected an expression"),
        ("one\n{% for m in messages %}\n two", 3, 1, "Unexpected end of template"),
        ("one\n\n  {{ 'unclosed }}", 3, 6, "unexpected char"),
        ("{{ messages | nosuch }}", 1, 15, "No filter named 'nosuch'"),
        ("a\n{{ 1 + }}", 2, 8, "unexpected"),
        ("a\n{% nosuch %}", 2, 4, "unknown tag 'nosuch'"),
        ("a\n {# open", 2, 2, "Missing end of comment tag"),
        ("a\n {{ messages[0].content.no.deeper }}", 2, 27, "'str object' has no attribute 'no'"),
        ("{% for m in messages %}\n{{ 1 / 0 }}{% endfor %}", 2, 4, "division by zero"),
        ("{{ nosuch(1) }}", 1, 10, "'nosuch' is undefined"),
        ("{{ 'a' + 1 }}", 1, 4, "'str' and 'int'"),
    ],
)
def test_that_broken_jinja_is_named_with_line_and_column(source: str, line: int, column: int, words: str) -> None:
    error = _error(source)
    assert type(error) is BrokenTemplate
    assert (error.line, error.column) == (line, column)
    assert words in str(error)
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.line, copy.column) == (str(error), line, column)


@pytest.mark.parametrize(
    "source",
    [
        "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
        "{% if 1 %}" * 400,
        "{{ 1" + "+1" * 5000 + " }}",
        "{{ " + "9" * 5000,
    ],
)
def test_that_what_cannot_be_compiled_is_refused(source: str) -> None:
    assert "template" in str(_error(source))


def test_that_a_template_of_more_than_its_limit_is_not_compiled() -> None:
    assert "300,000 characters" in str(_error("x" * 300_000))


def test_that_the_template_s_own_refusal_is_told_in_its_words() -> None:
    error = _error("{{ raise_exception('Roles must alternate!') }}")
    assert type(error) is RefusedConversation
    assert "Roles must alternate!" in str(error)


def test_that_a_template_renders_again_after_it_has_failed() -> None:
    template = ChatTemplate("{% for m in messages %}{{ m.content + suffix }}{% endfor %}")
    with pytest.raises(BrokenTemplate):
        render(template, CONVERSATION)
    assert render(template, CONVERSATION, switches={"suffix": "!"}).text == "hi!"
