// Opens the page of `serve --demo` in Chromium.
//
//   node page_check.mjs MODULES PROGRAM [all] [--picture FILE]
//
// MODULES is a folder with node_modules/{playwright-core,axe-core}. Without `all`, only the first checks run.
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { createInterface } from "node:readline";

const [modules, program, ...options] = process.argv.slice(2);
const need = createRequire(`${modules}/node_modules/`);
const { chromium } = need("playwright-core");
const axe = need("axe-core");

const demo = spawn(program, ["serve", "--demo", "--listen", "127.0.0.1:0"], { stdio: ["ignore", "pipe", "ignore"], env: { PATH: process.env.PATH } });
let base = null;
for await (const line of createInterface(demo.stdout)) {
  base = /^listening on (http:\S+)/.exec(line)?.[1];
  if (base) break;
}
demo.stdout.resume();
process.on("exit", () => demo.kill());
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

// A tab of its own for each check. `faults` collects what no check may cause.
async function tab(settings = {}) {
  const context = await browser.newContext(settings);
  const page = await context.newPage();
  const faults = [];
  page.on("request", (request) => {
    const { origin, protocol, search } = new URL(request.url());
    if (protocol !== "data:" && (origin !== base || search)) faults.push(`a request to ${request.url()}`);
  });
  page.on("pageerror", (error) => faults.push(`an error of the script: ${error.message}`));
  page.on("console", (message) => {
    if (/content security policy/i.test(message.text())) faults.push(message.text());
  });
  return { page, faults, close: () => context.close() };
}

const expect = (holds, what) => { if (!holds) throw new Error(what); };
const headline = (page) => page.locator("#headline").textContent({ timeout: 20_000 });
async function look(page, value) {
  await page.fill("#value", value);
  await page.click("#submit");
}
async function accessible(page, about) {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  expect(violations.length === 0, `${about}: ${violations.map((one) => `${one.id} (${one.nodes.map((node) => node.target).join("; ")})`).join(", ")}`);
}
// Answers the next lookups of a tab in place of the service.
const answers = (page, status, headers, change) => page.route("**/v1/enrich", async (route) => {
  if (typeof change !== "function") return route.fulfill({ status, headers, json: change });
  const response = await route.fetch();
  return route.fulfill({ response, json: change(await response.json()) });
});

const ALERT = "da639305048212385104_-1204837751";
const first = {
  async an_example_is_answered_with_a_click(page) {
    await page.goto(base);
    await page.locator("#examples button").first().click();
    expect((await headline(page)).includes("Credentials read"), "not the headline of the first example");
    expect(new URL(page.url()).hash === `#alert_id=${ALERT}`, `the address is ${page.url()}`);
    expect(await page.locator("details.alert").count() === 1, "not one alert");
    expect(await page.evaluate(() => document.activeElement.id) === "headline", "the headline has no focus");
  },
  async every_form_of_the_answer_is_shown(page) {
    await page.goto(`${base}/#value=desk-042.contoso.com`);
    await headline(page);
    expect((await page.locator("#panel-answer").textContent()).includes("What Defender says about this device"), "nothing about the device itself");
    for (const [name, text] of [["json", '"schema_version"'], ["slack", "risk High"], ["teams", "6 alerts, 4 open"], ["markdown", "| Severity | Status |"]]) {
      await page.click(`#tab-${name}`);
      await page.locator(`#panel-${name}`).getByText(text).first().waitFor({ timeout: 20_000 });
    }
  },
  async a_problem_is_shown_with_what_to_do(page) {
    await page.goto(base);
    await look(page, "desk-9999.contoso.com");
    await page.locator("#problem").waitFor({ timeout: 20_000 });
    const text = await page.locator("#problem").textContent();
    expect(text.includes("Defender knows no device") && text.includes("not_found"), text);
    await page.fill("#key", "wrong");
    await look(page, ALERT);
    await page.locator("#problem").getByText("unauthorized").waitFor();
    expect(await page.evaluate(() => document.activeElement.id) === "key", "the key has no focus");
  },
  async what_is_typed_after_a_click_has_no_kind(page) {
    await page.goto(base);
    await page.locator("#examples button").first().click();
    await headline(page);
    await look(page, "desk-042.contoso.com");
    await page.locator("#headline").getByText("Machine desk-042").waitFor({ timeout: 20_000 });
  },
  async nothing_is_kept_outside_the_tab(page) {
    await page.goto(`${base}/#value=${ALERT}`);
    await headline(page);
    const kept = await page.evaluate(() => [localStorage.length, sessionStorage.length, document.cookie.length]);
    expect(kept.every((count) => count === 0), `kept: ${kept}`);
  },
};

const further = {
  async every_example_is_answered(page) {
    await page.goto(base);
    const count = await page.locator("#examples button").count();
    expect(count >= 8, `${count} examples`);
    for (let place = 0; place < count; place += 1) {
      await page.evaluate(() => { document.getElementById("examples").open = true; });
      await page.locator("#examples button").nth(place).click();
      await page.locator("#headline").waitFor({ timeout: 20_000 });
    }
    expect(await page.locator("#history button").count() === count, "not every lookup is in the history");
    const value = await page.locator("#examples button").nth(count - 3).textContent();
    await page.goBack();
    await page.goBack();
    await page.waitForFunction((back) => document.getElementById("value").value === back, value);
  },
  async texts_of_attackers_stay_texts(page) {
    const hostile = "<img src=x onerror=alert(1)><script>alert(2)</script>";
    await answers(page, 200, {}, (answer) => {
      answer.summary = hostile;
      answer.alerts[0].title = hostile;
      answer.alerts[0].url = "javascript:alert(3)";
      answer.entities.files[0].name = "invoice\u202efdp.exe";
      return answer;
    });
    await page.goto(`${base}/#value=${ALERT}`);
    expect(await headline(page) === hostile, "the summary is not verbatim");
    await page.click("#tab-json");
    expect(await page.locator("#result img, #result script").count() === 0, "the answer became HTML");
    expect((await page.locator("#panel-answer").textContent()).includes("invoice\\u202efdp.exe"), "a text is reordered");
    expect(await page.locator('a[href^="javascript"]').count() === 0, "a link runs a script");
  },
  async forms_of_attackers_stay_texts(page) {
    const hostile = "<img src=x onerror=alert(1)>";
    await page.route("**/v1/enrich", async (route) => {
      const response = await route.fetch();
      const text = (await response.text()).replaceAll("Credentials read", hostile);
      return route.fulfill({ response, body: text });
    });
    await page.goto(`${base}/#machine=desk-042.contoso.com`);
    await headline(page);
    for (const name of ["json", "slack", "teams", "markdown"]) {
      await page.click(`#tab-${name}`);
      await page.locator(`#panel-${name}`).getByText("<img src=x").first().waitFor({ timeout: 20_000 });
      expect(await page.locator("#result img").count() === 0, `${name} became HTML`);
    }
  },
  async a_problem_is_accessible_and_has_the_focus(page) {
    await page.goto(base);
    await look(page, "desk-9999.contoso.com");
    await page.locator("#problem h2").waitFor({ timeout: 20_000 });
    expect(await page.evaluate(() => document.activeElement.closest("#problem") !== null), "the problem has no focus");
    await accessible(page, "a problem");
  },
  async retry_after_counts_down(page) {
    await page.clock.install();
    await answers(page, 429, { "Retry-After": "3", "Content-Type": "application/problem+json" }, { title: "Too many calls", status: 429, detail: "Wait.", code: "throttled", request_id: "x" });
    await page.goto(`${base}/#value=${ALERT}`);
    const again = page.locator("#problem button");
    await again.waitFor();
    expect(await again.isDisabled(), "it may be tried again immediately");
    expect((await page.locator("#problem").textContent()).includes("in 3 s"), "no countdown");
    await page.clock.runFor(3_500);
    expect(await again.isEnabled(), "it may not be tried again after the time");
  },
  async a_slow_lookup_shows_that_it_runs_and_can_be_cancelled(page) {
    await page.clock.install();
    await page.route("**/v1/enrich", () => {});
    await page.goto(base);
    await look(page, ALERT);
    await page.clock.runFor(7_000);
    expect(/ 7 s$/.test(await page.locator("#progress").textContent()), await page.locator("#progress").textContent());
    await page.click("#cancel");
    await page.locator("#progress").getByText("Cancelled.").waitFor();
    expect(await page.locator("#submit").isEnabled(), "no other lookup can be started");
  },
  async it_works_behind_a_base_path(page) {
    const sent = [];
    page.on("request", (request) => sent.push(new URL(request.url()).pathname));
    await page.goto(`${base}/stage/v1/#value=${ALERT}`);
    await headline(page);
    expect(sent.includes("/stage/v1/enrich"), sent.join(" "));
  },
  async the_keyboard_is_enough(page) {
    await page.goto(base);
    await page.focus("#value");
    await page.keyboard.type("3085");
    await page.keyboard.press("Enter");
    await headline(page);
    await page.focus("#tab-answer");
    await page.keyboard.press("ArrowRight");
    expect(await page.locator("#panel-json").isVisible(), "the arrow does not change the form");
    await page.keyboard.press("End");
    expect(await page.locator("#panel-markdown").isVisible(), "End does not lead to the last form");
  },
};
for (const colorScheme of ["light", "dark"]) {
  for (const [about, viewport] of [["a_desk", { width: 1280, height: 900 }], ["a_phone", { width: 360, height: 740 }]]) {
    further[`${colorScheme}_on_${about}`] = [{ colorScheme, viewport }, async (page) => {
      await page.goto(base);
      await accessible(page, "the empty page");
      await look(page, "desk-042.contoso.com");
      await headline(page);
      await page.locator("details.alert > summary").first().click();
      await accessible(page, "an answer");
      for (const name of ["json", "slack", "teams", "markdown"]) {
        await page.click(`#tab-${name}`);
        await page.locator(`#panel-${name} > *`).nth(1).waitFor();
        await accessible(page, name);
      }
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect(wide <= 0, `${wide} pixels are beyond the edge`);
    }];
  }
}

let [passed, failed] = [0, 0];
for (const [name, check] of Object.entries(options.includes("all") ? { ...first, ...further } : first)) {
  const [settings, run] = Array.isArray(check) ? check : [{}, check];
  const { page, faults, close } = await tab(settings);
  try {
    await run(page);
    expect(faults.length === 0, faults.join("; "));
    passed += 1;
  } catch (error) {
    failed += 1;
    console.error(`page: ${name} failed: ${error.message}`);
  }
  await close();
}

const picture = options.indexOf("--picture");
if (picture >= 0) {
  const file = options[picture + 1];
  mkdirSync(dirname(file), { recursive: true });
  const { page, close } = await tab({ viewport: { width: 1100, height: 860 }, colorScheme: options.includes("dark") ? "dark" : "light" });
  await page.goto(`${base}/#value=desk-042.contoso.com`);
  await headline(page);
  await page.evaluate(() => { document.activeElement.blur(); scrollTo(0, 0); });
  await page.screenshot({ path: file });
  await close();
}
await browser.close();
console.log(`page: ${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
