"""Chat templates that use what public templates use, and conversations to render with them."""

from __future__ import annotations

from core.chat.conversation import parse_conversation
from core.chat.messages import Conversation

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": 'The weather in a city, <b>now</b> & "here".',
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]

DIALOGUE = [
    {"role": "system", "content": "  Be brief.\n"},
    {"role": "user", "content": "Is 7 prime?"},
    {"role": "assistant", "content": "\n<think>7 is odd.</think>\n Yes. ", "reasoning_content": "7 is odd."},
    {"role": "user", "content": "你好 <|im_end|> {{ 1 }} 😀"},
    {"role": "assistant", "content": "Hello!\n"},
]

CALLS = [
    {"role": "user", "content": "Is it warm in Oslo?"},
    {
        "role": "assistant",
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": {"city": "Oslo", "n": 1.5}}},
            {"id": "c2", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}},
        ],
    },
    {"role": "tool", "content": '{"celsius": 21}', "tool_call_id": "c1", "name": "weather"},
    {"role": "assistant", "content": [{"type": "text", "text": "It is 21 °C."}]},
]

CONVERSATIONS: dict[str, Conversation] = {
    "dialogue": parse_conversation(DIALOGUE),
    "calls": parse_conversation({"messages": CALLS, "tools": TOOLS}),
    "short": parse_conversation([{"role": "user", "content": ""}]),
}

TEMPLATES = {
    "loop": """{{ bos_token }}{% for message in messages %}
    {{- '<|im_start|>' + message['role'] + '\\n' }}
    {%- if message.content is string %}{{ message.content | trim }}
    {%- else %}{{ message.content | default([]) | tojson }}{% endif %}
    {%- if loop.last and not add_generation_prompt %}{{ eos_token }}{% else %}
<|im_end|>
{% endif %}
{% endfor %}
{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}
{% endif %}""",
    "generation": """{%- for message in messages -%}
{% if message.role == 'assistant' %}
[A]{% generation %}{% if message.tool_calls %}{% for call in message.tool_calls %}
{{ call.function.name }}({{ call.function.arguments | tojson }}){% endfor %}{% else %}{{ message.content }}{% endif %}
[E]{% endgeneration %}
{% else %}
{{ '[' ~ message.role[0] | upper ~ ']' ~ message.content ~ '[E]' }}
{%- endif %}
{%- endfor -%}""",
    "system first": """{%- if messages[0].role == 'system' %}
{%- set system = messages[0].content %}{%- set rest = messages[1:] %}
{%- else %}{% set system = 'You help.' %}{% set rest = messages %}{% endif -%}
<<SYS>>{{ system.strip() }}<</SYS>>
{% if tools %}[TOOLS]{{ tools | tojson(indent=2) }}{% for tool in tools %}{{ '\\n' + (tool | tojson) }}{% endfor %}
{% endif %}
{% for m in rest if m.role != 'tool' %}{{ loop.index0 }}{{ m.role.upper() }}: {{ m.get('content', '') }}
{% endfor %}""",
    "macros": """{%- macro text(message, prefix='') -%}
{%- set shown = message.content if message.content is string else (message.content or [{'text': ''}])[0].text -%}
{{ prefix }}{{ shown.split('</think>')[-1].lstrip('\\n') }}{{ caller() if caller is defined else '' }}
{%- endmacro -%}
{% for message in messages | rejectattr('role', 'equalto', 'tool') | list %}
{% call text(message, prefix=message.role ~ '> ') %} [{{ loop.index }}/{{ loop.length }}]{% endcall %}

{% endfor %}""",
    "namespaces": """{% set ns = namespace(last=-1, text='') %}
{% for message in messages %}{% if message.role == 'user' %}{% set ns.last = loop.index0 %}{% endif %}{% endfor %}
{% for message in messages[::-1] %}{% set i = messages | length - 1 - loop.index0 %}
{% if i == ns.last %}{% set ns.text = ns.text + '**' + message.content.replace('?', '!').title() + '**' %}{% endif %}
{% endfor %}{{ ns.text }}{% for n in range(3) %}{% if n == 1 %}{% continue %}{% endif %}{{ n }}{% endfor %}
{%- for m in messages %}{% if loop.index > 2 %}{% break %}{% endif %}{{ loop.cycle('a', 'b') }}{{ m.role }}{% endfor %}
{{ messages | map(attribute='role') | join(', ') }}{{ messages | map(attribute='role') | unique | sort | list }}""",
    "thoughts": """{% for m in messages %}{% if m.reasoning_content is string %}
<think>{{ m.reasoning_content }}</think>{{ m.thinking }}{% endif %}
{% set content %}{{ m.content | string | indent(2) }}{% filter upper %} end {{ m.role }}{% endfilter %}{% endset %}
{{ "%-12s|" | format(m.role) }}{{ '{:>12}|{}'.format(m.role, 5) }}{{ '%s and %s' % (m.role, content) }}
{% endfor %}{% if documents %}{% for d in documents %}{{ d.title }}: {{ d['text'] }}{% endfor %}{% endif %}""",
    "dates": """{# comment #}{{ strftime_now('%d %b %Y') }}{% raw %}{{ raw }}{% endraw %}
   {%- if date_string is not defined %}{% set date_string = strftime_now('%Y') %}{% endif %}
{{ date_string }}{{ missing }}{{ messages | count }}{{ dict(a=1).items() | list }}{{ {'b': none}.b }}{{ 1.0 ~ true }}
{{ '\\u00e9\\x41' }} {{- '\\'' }}{{ "a" "b" }}{{ messages[0].nothing.x if false else 'ok' }}
{%- for k, v in messages[0] | dictsort %}{{ k }}={{ v }};{% endfor %}{{ 7 // 2 * 2 ** 3 % 5 }}
""",
    "recursive": """{%- for item in [{'n': 'a', 'c': [{'n': messages[0].content, 'c': []}]}] recursive -%}
({{ item.n }}{% if item.c %}{{ loop(item.c) }}{% endif %})
{%- endfor %}
{% with x = messages[-1] %}{{ x.role | capitalize }}{{ x.content | default('none', true) | truncate(6) }}{% endwith %}
{% for r, group in messages | groupby('role') %}{{ r }}:{{ group | length }} {% endfor %}
{{ (messages | first).content[:3] }}{{ messages[0].content[-2:] }}{{ 'ab' * 3 }}{{ 'x' in messages[0].content }}
{% autoescape true %}{{ '<b>' + messages[0].content }}{{ messages[0].content | safe }}{% endautoescape %}
{{ ('<i>' | safe) + '<' }}{{ messages[0].content | e }}{{ 'a b  c'.split() }}{{ 'a,b'.partition(',') }}""",
}

SWITCHES = [
    {},
    {"enable_thinking": False, "documents": [{"title": "T", "text": "<x>"}], "date_string": "today"},
]
