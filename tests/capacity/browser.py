"""A headless Chromium that opens a page from a file, for tests of what people see."""

import base64
import json
import os
import shutil
import tempfile

BROWSER, DRIVER = "chromium", "chromedriver"
PHONE, DESK, PAPER = 390, 1280, 720  # CSS pixels of width


class NoBrowser(Exception):
    """What is missing, and how to get it."""


class Browser:
    """Use as a context manager. Needs Debian's chromium, chromium-driver and python3-selenium."""

    def __init__(self):
        missing = [name for name in (BROWSER, DRIVER) if not shutil.which(name)]
        try:
            from selenium import webdriver
            from selenium.webdriver.chrome.service import Service
        except ImportError:
            missing.append("selenium")
        if missing:
            raise NoBrowser(
                "%s is missing: apt-get install chromium chromium-driver python3-selenium (tools/install-packages test)"
                % ", ".join(missing)
            )
        options = webdriver.ChromeOptions()
        self.profile = tempfile.mkdtemp(prefix="capacity-browser.")
        for argument in (
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--disable-extensions",
            "--disable-background-networking",
            "--disable-component-update",
            "--no-first-run",
            "--user-data-dir=" + self.profile,
        ):
            options.add_argument(argument)
        options.binary_location = shutil.which(BROWSER)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(service=Service(shutil.which(DRIVER)), options=options)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.driver.quit()
        shutil.rmtree(self.profile, ignore_errors=True)

    def open(self, path, width=DESK, dark=False, media=""):
        self.command(
            "Emulation.setEmulatedMedia",
            media=media,
            features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}],
        )
        self.command(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width <= PHONE
        )
        self.driver.get("file://" + os.path.abspath(path))

    def command(self, name, **arguments):
        return self.driver.execute_cdp_cmd(name, arguments)

    def evaluate(self, script):
        return self.driver.execute_script("return " + script)

    def console(self):
        """What the page has written to the console since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self):
        """Addresses that the page has asked the network for since the last call."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]

    def picture(self, path, height=None):
        """A PNG of the whole page, or of its first `height` pixels."""
        size = self.command("Page.getLayoutMetrics")["cssContentSize"]
        clip = {
            "x": 0,
            "y": 0,
            "width": size["width"],
            "height": min(size["height"], height or size["height"]),
            "scale": 1,
        }
        shot = self.command("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        with open(path, "wb") as file:
            file.write(base64.b64decode(shot["data"]))

    def pdf(self, path):
        printed = self.command("Page.printToPDF", paperWidth=8.27, paperHeight=11.69, printBackground=True)
        with open(path, "wb") as file:
            file.write(base64.b64decode(printed["data"]))
