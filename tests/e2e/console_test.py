"""The console in headless Chromium: chats, streams, stops, folds reasoning, speaks both languages, fits phone and desktop.

Screenshots go to the folder PINGTI_SCREENSHOTS (default: build/screenshots).
"""
import os
import pathlib
import shutil
import sys
import time

import harness

try:
    from selenium import webdriver
    from selenium.webdriver.common.by import By
except ImportError:
    harness.skip("the Python package selenium is not installed (./pingti test --full installs it)")

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
if not CHROMIUM or not DRIVER:
    harness.skip("chromium and chromedriver are not installed (./pingti test --full installs them)")

SCREENSHOTS = pathlib.Path(os.environ.get("PINGTI_SCREENSHOTS") or pathlib.Path(__file__).parents[2] / "build/screenshots")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--hide-scrollbars"]


class Browser:
    """One headless Chromium of a size and language; fails the test on console errors and on requests to elsewhere."""

    def __init__(self, url, width, height, language, tokens=48):
        options = webdriver.ChromeOptions()
        for flag in [*FLAGS, f"--window-size={width},{height}"]:
            options.add_argument(flag)
        options.binary_location = CHROMIUM
        options.add_experimental_option("prefs", {"intl.accept_languages": language})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                    {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})
        self.url = url
        self.driver.get(url)
        self.driver.execute_script("localStorage.setItem('pingti.parameters', JSON.stringify({max_tokens: arguments[0], temperature: 0}))",
                                   tokens)
        self.driver.refresh()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                severe = [entry for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]
                assert not severe, severe
                names = self.driver.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
                elsewhere = [name for name in names if not name.startswith(self.url)]
                assert not elsewhere, f"the console fetched from elsewhere: {elsewhere}"
        finally:
            self.driver.quit()

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector):
        return self.find(selector).text

    def wait(self, condition, seconds, what):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if condition():
                return
            time.sleep(0.1)
        self.shoot("failure")
        raise AssertionError(f"not within {seconds} s: {what}")

    def shoot(self, name):
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(SCREENSHOTS / f"{name}.png"))

    def no_sideways_scroll(self):
        return self.driver.execute_script("return document.documentElement.scrollWidth <= innerWidth")


def ask(browser, prompt):
    browser.find("#prompt").send_keys(prompt + "\n")


def test_chat_stream_and_live_view_on_a_desktop():
    with harness.Server() as server, Browser(server.url + "/", 1280, 860, "en") as browser:
        browser.wait(lambda: "SmolLM2" in browser.text("#model-name"), 10, "the model's name in the header")
        assert browser.find("#toy-notice").is_displayed()
        ask(browser, "Write a haiku about the sea.")
        browser.wait(lambda: len(browser.text(".message.assistant .body")) > 20, 60, "an answer")
        browser.wait(lambda: browser.find("#send").is_displayed(), 60, "the answer's end")
        assert "tokens/s" in browser.text("#chat-stats")
        browser.wait(lambda: browser.text("#tiles .tile:nth-child(5) b") != "–", 10, "time to first token in the live view")
        assert "avx" in browser.text("#model-card") or "scalar" in browser.text("#model-card")
        browser.shoot("desktop-en")
        browser.find("#language").click()
        browser.find("#theme").click()
        browser.find("#theme").click()
        assert "实时状态" in browser.text(".live h2")
        browser.shoot("desktop-zh-dark")


def test_stop_frees_the_engine():
    with harness.Server() as server, Browser(server.url + "/", 1280, 860, "en", tokens=4000) as browser:
        ask(browser, "Write a very long story about the sea. Do not stop.")
        browser.wait(lambda: len(browser.text(".message.assistant .body")) > 40, 60, "the beginning of an answer")
        browser.find("#stop").click()
        browser.wait(lambda: browser.find("#send").is_displayed(), 5, "the composer comes back")
        server.wait_until(lambda: server.metric("vllm:num_requests_running") == 0, 3, "the engine is free")


def test_phone_in_chinese():
    with harness.Server() as server, Browser(server.url + "/", 390, 844, "zh-CN") as browser:
        browser.wait(lambda: "需要我做什么" in browser.text(".welcome"), 10, "the welcome")
        assert browser.no_sideways_scroll()
        browser.shoot("phone-zh")
        ask(browser, "Say hello")
        browser.wait(lambda: len(browser.text(".message.assistant .body")) > 2, 60, "an answer")
        browser.find("#tabs button[data-tab=live]").click()
        assert browser.find(".live").is_displayed() and not browser.find("#composer").is_displayed()
        assert browser.no_sideways_scroll()
        browser.shoot("phone-zh-live")


if __name__ == "__main__":
    harness.main(sys.modules[__name__])
