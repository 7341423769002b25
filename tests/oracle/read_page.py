"""Reads report pages in Chromium as people do: with a mouse, with keys only, on a phone, on paper, without JavaScript.

    read_page.py PAGE...

Prints JSON: `wrong`, a sentence for each thing that is not as it should be, and by page how many findings it showed. Exits with 2 where there is no browser.
"""

import io
import json
import shutil
import sys
from pathlib import Path

import axe_playwright_python
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from pypdf import PdfReader

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
NUMERIC = {"rank", "month", "amount", "runRate", "confidence"}
MONEY = {"amount", "runRate"}
CELL = {"customer": ".who", "service": ".what", "signal": ".why", "status": ".status"}
# The findings in the order of the page: whatever can be sorted by, and whether it is to be seen.
ROWS = """() => Array.from(document.querySelectorAll("#findings-table > tbody"), (body) => ({
    ...body.dataset, seen: body.offsetParent !== null,
    ...Object.fromEntries(Object.entries(%s).map(([key, cell]) => [key, body.querySelector(cell).textContent])),
    text: body.rows[0].textContent,
}))""" % json.dumps(CELL)


class Reader:
    """One page, one browser, and what was wrong."""

    def __init__(self, browser: Browser, path: Path):
        self.browser, self.url, self.name = browser, path.resolve().as_uri(), path.name
        self.wrong: list[str] = []

    def expect(self, holds: bool, what: str) -> None:
        if not holds:
            self.wrong.append(f"{self.name}: {what}")

    def open(self, size: dict, colour: str = "light", javascript: bool = True) -> tuple[BrowserContext, Page]:
        context = self.browser.new_context(viewport=size, color_scheme=colour, java_script_enabled=javascript)
        page = context.new_page()

        def heard(text: str) -> None:
            self.wrong.append(f"{self.name}: {text}")

        def dialog(shown) -> None:
            heard(f"a dialog: {shown.message}")
            shown.dismiss()

        page.on("console", lambda message: heard(f"console: {message.text}") if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: heard(f"error: {error}"))
        page.on("request", lambda request: heard(f"request: {request.url}") if request.url != self.url else None)
        page.on("dialog", dialog)
        page.goto(self.url)
        return context, page

    def sorted_by_every_column(self) -> None:
        context, page = self.open(DESKTOP)
        for header in page.locator("#findings-table > thead th").all():
            key, button = header.get_attribute("data-sort"), header.locator("button")
            for _ in range(2):
                button.click()
                direction = header.get_attribute("aria-sort")
                rows = page.evaluate(ROWS)
                for before, after in zip(rows, rows[1:]):
                    if key in MONEY and before["currency"] != after["currency"]:
                        self.expect(before["currency"] < after["currency"], f"{key}: currencies are mixed")
                        continue
                    if key in NUMERIC:
                        order = float(before[key]) - float(after[key])
                    else:
                        order = page.evaluate("([a, b]) => a.localeCompare(b)", [before[key], after[key]])
                    if order == 0:
                        order = int(before["rank"]) - int(after["rank"])
                        self.expect(order < 0, f"{key}: equals are not in order of rank")
                    else:
                        self.expect((order < 0) == (direction == "ascending"), f"{key} is not {direction}")
            self.expect(direction == ("ascending" if key in MONEY | {"confidence"} else "descending"), f"{key} is not turned around")
            self.expect(page.locator("[aria-sort]").count() == 1, f"{key}: two columns say that they are sorted")
        context.close()

    def searched(self) -> None:
        context, page = self.open(DESKTOP)
        rows = page.evaluate(ROWS)
        word = rows[-1]["customer"].strip()[:12].strip()
        page.get_by_label("Search customer, service or cause").fill(word.upper())
        found = page.evaluate(ROWS)
        wanted = [word.lower() in row["text"].lower() for row in found]
        self.expect([row["seen"] for row in found] == wanted and any(wanted), f"search for {word!r}")
        self.expect(page.locator("#shown").inner_text() == f"{sum(wanted)} of {len(rows)} shown", "the search does not say what it found")
        page.get_by_label("Search customer, service or cause").fill("no customer is called so")
        self.expect(not any(row["seen"] for row in page.evaluate(ROWS)), "a search for nothing shows something")
        page.get_by_label("Search customer, service or cause").fill("")
        self.expect(all(row["seen"] for row in page.evaluate(ROWS)), "an empty search hides something")
        context.close()

    def unfolded(self) -> None:
        context, page = self.open(DESKTOP)
        first = page.locator("#findings-table > tbody").first
        self.expect(not first.locator(".explanation").is_visible(), "evidence is not folded")
        first.locator("summary").first.click()
        self.expect(first.locator(".explanation").is_visible(), "a click does not unfold")
        self.expect(page.locator("td > details[open]").count() == 1, "a click unfolds others")
        button, folds = page.get_by_role("button", name="Unfold all"), page.locator("td > details").count()
        button.click()
        self.expect(page.locator("td > details[open]").count() == folds, "unfold all leaves some")
        self.expect(button.get_attribute("aria-pressed") == "true", "unfold all does not say that it did")
        button.click()
        self.expect(page.locator("td > details[open]").count() == 0, "unfold all does not fold again")
        context.close()

    def by_keys_only(self) -> None:
        """Everything that a mouse can do is reached by Tab and done by Enter, and one sees where one is."""
        context, page = self.open(DESKTOP)
        here = """() => { const at = document.activeElement, style = getComputedStyle(at);
                   return { tag: at.tagName, text: at.textContent.trim(), id: at.id, ring: style.outlineStyle !== "none" && style.outlineWidth !== "0px" }; }"""
        met, done = [], set()
        for _ in range(600):
            page.keyboard.press("Tab")
            at = page.evaluate(here)
            if at["tag"] == "BODY":
                break
            met.append(at)
            self.expect(at["ring"] or at["tag"] == "INPUT", f"no ring around {at['text'][:40]!r}")
            if at["tag"] == "BUTTON" and at["text"] == "Customer" and "sort" not in done:
                done.add("sort")
                page.keyboard.press("Enter")
                self.expect(page.locator("[aria-sort=ascending]").inner_text().startswith("Customer"), "Enter does not sort")
            if at["tag"] == "SUMMARY" and "unfold" not in done:
                done.add("unfold")
                page.keyboard.press("Enter")
                self.expect(page.locator("td > details[open]").count() == 1, "Enter does not unfold")
                page.keyboard.press("Enter")
        self.expect(bool(met) and met[0]["text"] == "Skip to the findings", "the first stop is not the link to the findings")
        self.expect(done == {"sort", "unfold"}, f"Tab does not reach: {sorted({'sort', 'unfold'} - done)}")
        self.expect(any(at["id"] == "search" for at in met), "Tab does not reach the search")
        context.close()

    def printed(self) -> None:
        context, page = self.open(DESKTOP)
        page.evaluate("() => dispatchEvent(new Event('beforeprint'))")
        folds = page.locator("td > details").count()
        self.expect(page.locator("td > details[open]").count() == folds, "paper is not unfolded")
        page.evaluate("() => dispatchEvent(new Event('afterprint'))")
        self.expect(page.locator("td > details[open]").count() == 0, "after printing the page is not as before")
        page.emulate_media(media="print")
        page.evaluate("() => dispatchEvent(new Event('beforeprint'))")
        hidden = page.evaluate(
            """() => Array.from(document.querySelectorAll(".explanation, .facts dd")).filter((e) => !e.checkVisibility() || e.scrollHeight > e.clientHeight + 2).length"""
        )
        self.expect(hidden == 0, f"{hidden} parts of the evidence are cut off or missing on paper")
        page.evaluate("() => dispatchEvent(new Event('afterprint'))")
        paper = page.pdf(format="A4")
        text = "".join("".join(sheet.extract_text().split()) for sheet in PdfReader(io.BytesIO(paper)).pages)
        for at in page.locator("td > details").all():
            code, facts = at.locator("dd > code").text_content(), at.locator(".explanation").text_content()
            self.expect(code in text, f"finding {code} is not unfolded on paper")
            last = "".join(facts.split())[-24:]
            self.expect(last in text, f"the explanation of {code} is not on paper: {last!r}")
        context.close()

    def without_javascript(self) -> None:
        context, page = self.open(PHONE, javascript=False)
        self.expect(not page.locator(".tools").is_visible(), "tools that do nothing are shown")
        first = page.locator("#findings-table > tbody").first
        first.locator("summary").first.click()
        self.expect(first.locator(".explanation").is_visible(), "without JavaScript nothing unfolds")
        context.close()

    def fits_and_is_for_everybody(self) -> None:
        for colour in ("light", "dark"):
            for size in (DESKTOP, PHONE):
                context, page = self.open(size, colour)
                where = f"{colour}, {size['width']} px"
                for state in ("folded", "unfolded"):
                    if state == "unfolded":
                        page.get_by_role("button", name="Unfold all").click()
                    widths = page.evaluate("() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]")
                    self.expect(widths[0] <= widths[1], f"{where}, {state}: the page scrolls sideways, {widths[0]} of {widths[1]} px")
                    # The policy lets no script in but the page's own; DevTools may.
                    page.evaluate(AXE)
                    report = page.evaluate("() => axe.run(document, { resultTypes: ['violations'] })")
                    for violation in report["violations"]:
                        if violation["impact"] in ("serious", "critical"):
                            nodes = [node["html"][:160] for node in violation["nodes"][:3]]
                            self.expect(False, f"{where}, {state}: axe {violation['id']} ({violation['impact']}): {violation['help']}: {nodes}")
                context.close()

    def read(self) -> dict:
        for look in (
            self.sorted_by_every_column,
            self.searched,
            self.unfolded,
            self.by_keys_only,
            self.printed,
            self.without_javascript,
            self.fits_and_is_for_everybody,
        ):
            look()
        context, page = self.open(DESKTOP)
        sections = page.locator("main h2").all_inner_texts()
        customers = [text.strip() for text in page.locator("#findings-table .who").all_inner_texts()]
        context.close()
        return {"page": self.name, "sections": sections, "customers": customers, "wrong": self.wrong}


def main() -> int:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        print("there is no Chromium here; Debian: `apt-get install chromium`", file=sys.stderr)
        return 2
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        said = [Reader(browser, Path(path)).read() for path in sys.argv[1:]]
        browser.close()
    print(json.dumps(said))
    return 0


if __name__ == "__main__":
    sys.exit(main())
