"""Markdown that tests show, and hostile texts that must never run."""

SAMPLE = r"""# Title

Some *italics*, ***both***, ~~gone~~, `code`, [a link](https://example.org/a?b=1&c=2) and
https://example.org/bare. A line
after a line. &copy; &amp; &lt;b&gt; &#65;

1. First
   - inner **one**
   - inner two
     1. deepest
2. Second

   A paragraph of the second.

   ```sql
   select 1;
   ```
3. Third

- [x] done
- [ ] to do

> A quote
>
> > in a quote

| left | centre | right |
|:-----|:------:|------:|
| a    | `b`    | 1     |
| c \| d | e    | 2     |

---

A formula $e^{i\pi} + 1 = 0$, another \(\mathbb{R}\), and no formula: $5 and $6.

$$
\int_0^1 \frac{x^2}{\sqrt{2}} \, dx
$$

A note[^1], a [reference][ref] and [^nothing].

![a picture](https://example.org/picture.png)

```python
def f(x):
    return "text"  # a comment
```

[^1]: The text of the note.
[ref]: https://example.org/reference
"""

_CODE = "document.title='owned';window.owned=1"
_URLS = (
    "javascript:{}",
    "JaVaScRiPt:{}",
    " javascript:{}",
    "java\tscript:{}",
    "java\nscript:{}",
    "&#106;avascript:{}",
    "javascript&colon;{}",
    "%6Aavascript:{}",
    "data:text/html,<script>{}</script>",
    "data:text/html;base64,PHNjcmlwdD5vd25lZD0xPC9zY3JpcHQ+",
    "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' onload=\"{}\"/>",
    "vbscript:{}",
    "blob:https://example.org/x",
    "file:///etc/passwd",
    "//example.org/x",
    'https://example.org/" onmouseover="{}',
    "https://example.org/' onerror='{}",
    "x onerror={}",
    "#other",
    "/api/v1/ai/threads",
)
_MARKUP = (
    "<script>{}</script>",
    "<img src=x onerror={}>",
    "<svg onload={}>",
    "<svg><script>{}</script></svg>",
    "<iframe srcdoc='<script>parent.{}</script>'></iframe>",
    "<math><mtext><table><mglyph><style><img src=x onerror={}>",
    "<a href='javascript:{}'>x</a>",
    "<details open ontoggle={}>",
    "<body onload={}>",
    "<style>@import 'x';</style>",
    "<link rel=stylesheet href=//example.org>",
    "<base href=//example.org>",
    "<form action=javascript:{}><button>x",
    "<object data=javascript:{}>",
    "<embed src=javascript:{}>",
    "<meta http-equiv=refresh content='0;url=javascript:{}'>",
    "<template><script>{}</script></template>",
    "</textarea></title></pre><img src=x onerror={}>",
    "<!--><img src=x onerror={}>-->",
    "<![CDATA[<img src=x onerror={}>]]>",
    "$\\href{{javascript:{}}}{{x}}$",
    "$\\htmlStyle{{background:url(x)}}{{x}}$ $\\includegraphics{{javascript:{}}}$",
    '$\\fcolorbox{{red;x:y}}{{blue}}{{x}}$ $\\color{{red" onload={}}}x$',
    "$$\\text{{<img src=x onerror={}>}}$$",
    "$\\def\\a{{\\a\\a}}\\a$",
    "```<img src=x onerror={}>\n<script>{}</script>\n```",
    "```html\n<script>{}</script><img src=x onerror={}>\n```",
    "`<img src=x onerror={}>`",
    "| <img src=x onerror={}> |\n|---|\n| <script>{}</script> |",
    "[^<img src=x onerror={}>]: <script>{}</script>",
    "[a]: javascript:{}\n\n[a]",
    "<javascript:{}>",
    '<https://example.org/"onclick={}>',
    '[<img src=x onerror={}>](https://example.org "<img src=x onerror={}>")',
    "- [x] <img src=x onerror={}>",
    "> <script>{}</script>",
    "# <script>{}</script>",
    "{{{{constructor.constructor('{}')()}}}}",
    "__proto__ [__proto__]: [constructor]\n\n[__proto__]: https://example.org",
    "\u202e<script>{}</script>\u0000\ufeff",
)

PAYLOADS = [
    *(markup.replace("{}", _CODE).replace("{{", "{").replace("}}", "}") for markup in _MARKUP),
    *(f"[link]({url})".replace("{}", _CODE) for url in _URLS[:10]),
    *(f"![picture](<{url}>)".replace("{}", _CODE) for url in _URLS),
    *(f"[link](<{url}>)".replace("{}", _CODE) for url in _URLS),
]
