"""The page, driven in a real browser as a person would."""

import shutil

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt install chromium")

SLOW = 30_000  # milliseconds that a busy machine may take
NAMES = "() => [...document.querySelectorAll('.result .name')].map((e) => e.textContent)"
PLAYING = ".result .play.on"


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        flags = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        flags += [f"--use-fake-{what}-for-media-stream" for what in ("device", "ui")]  # it beeps
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, server):
    """Open the page; at the end, nothing may have come from elsewhere or gone wrong."""
    faults, contexts = [], []

    def visited(**options):
        context = browser.new_context(**{"viewport": {"width": 1300, "height": 900}} | options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(SLOW)
        page.on("request", lambda r: r.url.startswith(server.address) or faults.append(r.url))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda m: faults.append(m.text) if m.type == "error" else None)
        page.on("dialog", lambda dialog: faults.append(dialog.message))
        page.goto(server.address)
        page.wait_for_selector("html[data-ready]")
        page.faults = faults
        return page

    yield visited
    for context in contexts:
        context.close()
    assert faults == []


@pytest.fixture
def page(visit):
    return visit()


def ask(page):
    """Click the second example, and give the names of what is found."""
    page.click("#examples li:nth-child(2) .from")
    page.wait_for_selector(".result")
    return page.evaluate(NAMES)


def order_changes(page, before):
    page.wait_for_function(f"(before) => String(({NAMES})()) !== before", arg=",".join(before))
    return page.evaluate(NAMES)


def set_slider(page, facet, value):
    page.get_by_label(facet, exact=True).evaluate(
        "(e, value) => { e.value = value; e.dispatchEvent(new Event('input')); }", value
    )


def test_a_new_visitor_is_told_what_to_do(page):
    assert page.title() == "tones · disentone"
    assert page.locator("#examples li").count() == 3
    assert page.locator("#title").inner_text() == "tones 36 sounds"
    assert "Give a sound" in page.locator("#results").inner_text()
    assert page.locator(".result").count() == 0


def test_an_example_finds_sounds_and_says_why(page, index):
    names = ask(page)
    asked = page.locator(".part .name").inner_text()
    found = index.query(like=[f"{asked}.wav"]).rank(k=20)
    assert names == [hit.id.removesuffix(".wav").removesuffix(".aiff") for hit in found]
    first = page.locator(".result").first
    score = found[0].score
    assert float(first.locator(".number").inner_text()) == pytest.approx(score, abs=0.006)
    likeness = [float(text) for text in first.locator(".split dd").all_inner_texts()]
    assert likeness == pytest.approx(list(found[0].cosines.values()), abs=0.006)
    assert first.locator(".factors").inner_text().startswith("instrument")
    assert page.locator("#radar svg").get_attribute("aria-label").startswith("Cosines of query")
    page.wait_for_selector(".result .wave div")


def test_a_slider_changes_the_order(page, index):
    before = ask(page)
    asked = page.locator(".part .name").inner_text()
    set_slider(page, "timbre", -1)
    names = order_changes(page, before)
    found = index.query(like=[f"{asked}.wav"]).rank({"timbre": -1, "pitch": 1, "rest": 1}, k=20)
    assert names == [hit.id.removesuffix(".wav").removesuffix(".aiff") for hit in found]
    page.get_by_role("button", name="Only pitch").click()
    assert [slider.input_value() for slider in page.locator("#weights input").all()] == [
        "0",
        "1",
        "0",
    ]
    set_slider(page, "pitch", 0)
    page.get_by_text("Give at least one facet some weight.").wait_for()
    page.click("#equal")
    page.get_by_text("best of 35").wait_for()
    assert page.evaluate(NAMES) == before


def test_results_play_one_at_a_time(page):
    ask(page)
    page.wait_for_selector(".result:nth-child(3) .wave div")
    page.click(".result:nth-child(1) .play")
    page.wait_for_selector(".result:nth-child(1) .play.on")
    page.click(".result:nth-child(3) .play")
    page.wait_for_selector(".result:nth-child(3) .play.on")
    assert page.locator(PLAYING).count() == 1
    page.click(".result:nth-child(3) .play")
    page.wait_for_selector(PLAYING, state="detached")
    page.hover(".result:nth-child(2) .wave")
    page.wait_for_selector(".result:nth-child(2) .play.on")
    page.mouse.move(5, 5)
    page.wait_for_selector(PLAYING, state="detached")


def test_the_keyboard_is_enough(page):
    ask(page)
    page.wait_for_selector(".result:nth-child(2) .wave div")
    page.keyboard.press("ArrowDown")
    assert page.locator(".result[aria-current] .rank").inner_text() == "2"
    page.keyboard.press("Space")
    page.wait_for_selector(".result:nth-child(2) .play.on")
    page.keyboard.press("1")
    page.wait_for_selector(".result:nth-child(1) .play.on")
    page.keyboard.press("Space")
    page.wait_for_selector(PLAYING, state="detached")
    page.keyboard.press("?")
    page.get_by_role("heading", name="Keys").wait_for()
    page.keyboard.press("Escape")
    name = page.locator(".result[aria-current] .name").inner_text()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Enter")
    page.wait_for_function(
        "(name) => document.querySelector('.part .name').textContent === name", arg=name
    )


def test_a_file_is_a_query_and_a_part_of_it(page, tones):
    page.set_input_files("#file", str(tones / "saw" / "66.wav"))
    page.wait_for_selector(".result")
    assert page.evaluate(NAMES)[0] == "saw/66"
    assert page.locator(".result .number").first.inner_text() == "1.00"
    page.wait_for_selector(".part .wave div")
    box = page.locator(".part .wave").bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 20)
    page.mouse.down()
    with page.expect_request("**/api/v1/search") as asked:
        page.mouse.move(box["x"] + 0.75 * box["width"], box["y"] + 20, steps=5)
        page.mouse.up()
    part = asked.value.post_data_json["query"]["examples"][0]
    assert (part["start"], part["end"]) == pytest.approx((0.5, 0.75), abs=0.05)


def test_a_recording_is_a_query(page):
    page.click("#record")
    page.get_by_role("button", name="Stop recording").wait_for()
    page.wait_for_function(
        "(begun) => performance.now() > begun + 1200", arg=page.evaluate("performance.now()")
    )
    page.click("#record")
    page.wait_for_selector(".result")
    assert page.locator(".part .name").inner_text() == "Recording"


def test_what_is_no_sound_is_told_in_a_sentence(visit, tmp_path):
    page = visit()
    hostile = tmp_path / "<img src=x onerror=alert(1)>.wav"
    hostile.write_text("no sound")
    page.set_input_files("#file", str(hostile))
    alert = page.get_by_role("alert").filter(has_text="is not audio")
    alert.wait_for()
    assert alert.inner_text().startswith("'<img src=x onerror=alert(1)>.wav' is not audio")
    (tmp_path / "large.wav").write_bytes(bytes(2**20 + 1))
    page.set_input_files("#file", str(tmp_path / "large.wav"))
    page.get_by_role("alert").filter(has_text="'large.wav' is too large").wait_for()
    assert page.locator(".result").count() == 0
    refused = [fault for fault in page.faults if "400 (Bad Request)" in fault]
    page.faults[:] = [fault for fault in page.faults if fault not in refused]  # the refused upload
    assert len(refused) == 1


def test_examples_are_added_and_kept_away_from(page):
    before = ask(page)
    page.click(".result:nth-child(1) .add")
    page.wait_for_selector(".part:nth-child(2)")
    page.get_by_text("Set to what the sounds share").or_(
        page.get_by_text("The sounds share little")
    ).wait_for()
    after = order_changes(page, before)
    assert before[0] not in after
    page.click(".result:nth-child(1) .away")
    page.wait_for_selector(".part:nth-child(3)")
    assert page.locator(".part").nth(2).inner_text().startswith("unlike")
    page.locator(".part .remove").nth(2).click()
    page.wait_for_selector(".part:nth-child(3)", state="detached")


def test_filters_choose_what_is_found(page):
    ask(page)
    page.get_by_text("instrument any").click()
    page.get_by_role("checkbox", name="saw").check()
    page.get_by_text("best of 12").wait_for()
    assert {name.split("/")[0] for name in page.evaluate(NAMES)} == {"saw"}
    page.get_by_text("pitch any").click()
    page.get_by_label("pitch from").fill("66")
    page.get_by_label("pitch from").press("Enter")
    page.get_by_text("best of 6").wait_for()
    page.get_by_text("key any").click()
    page.get_by_role("checkbox", name="d'\"").check()
    page.get_by_text("best of 2").wait_for()
    page.get_by_label("pitch from").fill("99")
    page.get_by_label("pitch from").press("Enter")
    page.get_by_text("Nothing passes these filters").wait_for()
    page.click("#unfilter")
    page.get_by_text("best of 35").wait_for()


def test_the_map_plays_a_point_and_makes_a_group_the_query(page, served):
    page.wait_for_selector("#legend .key")
    box = page.locator("#map").bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    layout = served.layout("timbre")
    lowest = min(range(36), key=layout.y.__getitem__)  # nothing is drawn over this one
    side = 0.94 * min(box["width"], box["height"])
    place = (
        middle[0] + (layout.x[lowest] / 10_000 - 0.5) * side,
        middle[1] - (layout.y[lowest] / 10_000 - 0.5) * side,
    )
    page.mouse.move(*place)
    item = served.points().ids[lowest]
    assert page.locator("#map-tip").inner_text().split(" · ")[0] == item.rpartition(".")[0]
    with page.expect_request("**/api/v1/audio?*") as request:
        page.mouse.click(*place)
    assert request.value.url.endswith(item.replace("/", "%2F"))
    page.click("#select")
    page.mouse.move(box["x"] + 4, box["y"] + box["height"] - 4)
    page.mouse.down()
    page.mouse.move(*middle, steps=4)
    page.mouse.move(box["x"] + box["width"] - 4, box["y"] + 4, steps=4)
    page.mouse.up()
    page.wait_for_selector(".part:nth-child(32)")
    page.get_by_text("best of 4").wait_for()
    page.select_option("#map-facet", "pitch")
    page.wait_for_function("() => document.getElementById('map').ariaLabel.includes('pitch')")
    page.select_option("#map-factor", "pitch")
    page.wait_for_selector("#legend .ramp")


@pytest.mark.parametrize(
    ("width", "scheme"), [(1300, "light"), (390, "dark")], ids=["wide, light", "narrow, dark"]
)
def test_everyone_can_use_it(visit, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is missing")
    page = visit(viewport={"width": width, "height": 900}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    ask(page)
    page.wait_for_selector(".result .wave div")
    found = axe.Axe().run(page).response["violations"]
    assert [(f["id"], f["nodes"][0]["html"]) for f in found if f["impact"] != "minor"] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.click("#theme")
    other = {"light": "dark", "dark": "light"}[scheme]
    assert page.evaluate("document.documentElement.dataset.theme") == other
    page.faults[:] = [f for f in page.faults if "Applying inline style" not in f]  # by axe
