#!/usr/bin/python3
"""The report of a recorded real run, opened in a headless Chromium: every plot drawn, nothing complained of, nothing fetched, legible
wide and narrow, light, dark and printed. $CAPACITY_PICTURES: a folder that keeps the pictures."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest

from library import RECORDED, recorded_run
from browser import DESK, PHONE, Browser
from capacity_lib import charts, page

DRAWN = """data.charts.map(chart => {
  const svg = document.getElementById(chart.id).querySelector('svg');
  const box = svg ? svg.getBoundingClientRect() : {width: 0, height: 0};
  const lines = svg ? [...svg.querySelectorAll('path')].filter(path => {
    const shape = path.getBBox(), style = getComputedStyle(path);
    return (shape.width > 1 || shape.height > 1) && (style.stroke !== 'none' || style.fill !== 'none');
  }).length : 0;
  return {id: chart.id, width: box.width, height: box.height, lines: lines, texts: svg ? svg.querySelectorAll('text').length : 0};
})"""


class Report(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="capacity-report.")
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.pictures = os.environ.get("CAPACITY_PICTURES", cls.folder)
        os.makedirs(cls.pictures, exist_ok=True)
        cls.document = recorded_run()
        cls.path = os.path.join(cls.folder, "report.html")
        page.write(cls.document, cls.path)
        cls.browser = cls.enterClassContext(Browser())  # without Chromium this fails, and says what to install
        cls.browser.open("/dev/null")
        cls.browser.requests()  # of Chromium's own first page

    def look(self, name, **how):
        """Opens the report, checks what must hold however it is looked at, and takes its picture. What was drawn."""
        self.browser.open(self.path, **how)
        drawn = self.browser.evaluate(
            "(() => { const data = JSON.parse(document.getElementById('data').textContent); return %s; })()" % DRAWN
        )
        self.assertEqual([], self.browser.console(), name)
        asked = {url for url in self.browser.requests() if not url.startswith(("data:", "chrome"))}
        self.assertEqual({"file://" + self.path}, asked, "%s: only the file itself is read" % name)
        self.assertGreater(len(drawn), 8)
        for one in drawn:
            self.assertGreater(one["width"], 200, (name, one))
            self.assertGreater(one["height"], 90, (name, one))
            self.assertGreater(one["lines"], 3, (name, one))
            self.assertGreater(one["texts"], 2, (name, one))
        picture = os.path.join(self.pictures, name + ".png")
        self.browser.picture(picture)
        self.assertGreater(os.path.getsize(picture), 50_000, name)
        return drawn

    def colour(self, selector, name):
        return self.browser.evaluate("getComputedStyle(document.querySelector('%s')).%s" % (selector, name))

    def contrast(self):
        """Of the text with the page, as WCAG counts it."""

        def luminance(text):
            channels = [int(number) / 255 for number in re.findall(r"\d+", text)[:3]]
            linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
            return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

        out = []
        for selector in ("body", ".facts", "figure p", "th"):
            pair = sorted(
                (luminance(self.colour(selector, "color")), luminance(self.colour("body", "backgroundColor")))
            )
            out.append((pair[1] + 0.05) / (pair[0] + 0.05))
        return min(out)

    def test_every_chart_has_its_place(self):
        names = [server["name"] for server in self.document["servers"]]
        first = charts.overview(self.document, names)
        expected = {chart["id"] for chart in [first] if chart} | {
            chart["id"]
            for i, profile in enumerate(self.document["profiles"])
            for j, stage in enumerate(profile["stages"])
            for chart in charts.of_stage(profile, stage, names, "s%d-%d" % (i, j))
        }
        self.assertEqual(expected, {one["id"] for one in self.look("desk", width=DESK + 200)})

    def test_light_and_dark(self):
        self.look("light", width=DESK)
        light = self.colour("body", "backgroundColor")
        self.assertGreater(self.contrast(), 4.5)
        stroke = self.browser.evaluate("document.querySelector('.plot svg path[stroke]').getAttribute('stroke')")
        self.look("dark", width=DESK, dark=True)
        self.assertNotEqual(light, self.colour("body", "backgroundColor"))
        self.assertGreater(self.contrast(), 4.5)
        self.assertNotEqual(
            stroke, self.browser.evaluate("document.querySelector('.plot svg path[stroke]').getAttribute('stroke')")
        )

    def test_a_phone_scrolls_in_one_direction_only(self):
        for one in self.look("phone", width=PHONE):
            self.assertLessEqual(one["width"], PHONE, one)
        self.assertLessEqual(self.browser.evaluate("document.documentElement.scrollWidth"), PHONE)

    def test_printed(self):
        self.browser.open(self.path)
        pdf = os.path.join(self.pictures, "print.pdf")
        self.browser.pdf(pdf)
        self.assertEqual([], self.browser.console())
        with open(pdf, "rb") as file:
            self.assertRegex(file.read()[:8], rb"%PDF-1")
        # What is on paper, as far as a picture of it shows.
        self.browser.open(self.path, width=720, media="print")
        self.browser.evaluate("dispatchEvent(new Event('beforeprint'))")
        beyond = self.browser.evaluate(
            """[...document.querySelectorAll('.plot')].flatMap(place => {
              const svg = place.querySelector('svg').getBoundingClientRect();
              return [svg.width - place.clientWidth, svg.height - place.clientHeight];
            })"""
        )
        self.assertLessEqual(max(beyond), 1, "no plot is larger than its place on paper")
        self.browser.picture(os.path.join(self.pictures, "print.png"))

    def test_servers_differ_by_more_than_colour(self):
        self.browser.open(self.path)
        shapes = self.browser.evaluate(
            "[...document.querySelectorAll('#answer .server')].map(e => getComputedStyle(e, '::before').borderRadius)"
        )
        self.assertGreater(len(set(shapes)), 1)
        dashes = self.browser.evaluate(
            "[...document.querySelectorAll('.plot svg path[stroke-dasharray]')].map(p => p.getAttribute('stroke-dasharray'))"
        )
        self.assertGreater(len(set(dashes)), 1)

    def test_figures_can_be_copied_as_text(self):
        self.browser.open(self.path)
        text = self.browser.evaluate("document.body.innerText")
        for profile in self.document["profiles"]:
            self.assertIn(profile["title"], text)
        for word in ("carries", "p99 ms", "CPU per operation", "How it was measured"):
            self.assertIn(word, text)


class Comparison(unittest.TestCase):
    def test_a_comparison_is_a_page_too(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "compare.html")
            tool = os.path.join(os.path.dirname(page.FOLDER), "..", "capacity")
            done = subprocess.run(
                ["/usr/bin/python3", tool, "compare", RECORDED, RECORDED, "--html", path],
                capture_output=True,
                text=True,
                timeout=60,
                check=True,
            )
            self.assertIn("most, ops/s", done.stdout)
            with Browser() as browser:
                browser.open(path)
                self.assertEqual([], browser.console())
                self.assertIn("Comparison", browser.evaluate("document.body.innerText"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
