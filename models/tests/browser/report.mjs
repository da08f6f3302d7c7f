// Opens a report's page in Chromium, wide and narrow, and says what a reader would stumble over.
//
// Usage: report.mjs PAGE [SCREENSHOTS], with ENDCAP_CHROMIUM (the browser) and ENDCAP_NODE_MODULES (playwright-core).
// SCREENSHOTS is a folder for a picture at each width. Each finding is a line on standard error, and then the exit
// status is 1.

import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const { chromium } = createRequire(join(process.env.ENDCAP_NODE_MODULES, "none"))("playwright-core");

const [file, screenshots] = process.argv.slice(2);
const url = pathToFileURL(resolve(file)).href;
// A desk's window and a phone's.
const WIDTHS = [1280, 390];

// Runs in the page and returns the findings.
const inspect = () => {
  const LEAST_TEXT = 12;
  // Labels of a plot, pixels of the screen.
  const LEAST_LABEL = 9;
  // Boxes are of fractions of pixels.
  const SLACK = 1;
  const found = [];
  const say = (where, what) => found.push(`${where}: ${what}`);
  const within = (inner, outer) =>
    inner.left >= outer.left - SLACK && inner.right <= outer.right + SLACK &&
    inner.top >= outer.top - SLACK && inner.bottom <= outer.bottom + SLACK;
  const scrolls = (element) => ["auto", "scroll"].includes(getComputedStyle(element).overflowX);
  // The headings above, to name a place.
  const place = (element) => {
    const above = (tag) =>
      [...document.querySelectorAll(tag)]
        .filter((heading) => heading.compareDocumentPosition(element) & Node.DOCUMENT_POSITION_FOLLOWING)
        .at(-1)?.textContent ?? "";
    return `${above("h2")}, ${above("h3")}`;
  };

  if (!document.title.startsWith("endcap: evaluation")) say("page", `its title is "${document.title}"`);
  if (!document.querySelector("h1")?.checkVisibility()) say("page", "no visible heading");

  // Whatever is wider than the page has a container that scrolls.
  const width = document.documentElement.clientWidth;
  const reach = document.documentElement.scrollWidth;
  if (reach > width) say("page", `${reach} pixels wide in a window of ${width}`);
  for (const element of document.body.querySelectorAll("*")) {
    if (element.closest("svg") && element.tagName !== "svg") continue;
    let holder = element.parentElement;
    while (holder && !scrolls(holder)) holder = holder.parentElement;
    if (!holder && element.getBoundingClientRect().right > width + SLACK)
      say(place(element), `<${element.tagName.toLowerCase()}> reaches beyond the window`);
    if (!scrolls(element) && element.tagName !== "svg" && element.scrollWidth > element.clientWidth + SLACK &&
        getComputedStyle(element).overflowX !== "visible")
      say(place(element), `<${element.tagName.toLowerCase()}> cuts off its content`);
    const own = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    if (own && parseFloat(getComputedStyle(element).fontSize) < LEAST_TEXT)
      say(place(element), `text smaller than ${LEAST_TEXT} pixels: "${element.textContent}"`);
  }

  const tables = [...document.querySelectorAll("table")];
  if (tables.length === 0) say("page", "no table");
  for (const table of tables) {
    const where = `${place(table)}, table`;
    const rows = [...table.tBodies].flatMap((body) => [...body.rows]);
    const names = table.tHead ? [...table.tHead.rows[0].cells] : [];
    const { left, width, height } = table.getBoundingClientRect();
    if (!table.checkVisibility() || width === 0 || height === 0) say(where, "not visible");
    if (left < 0) say(where, "begins outside the window");
    if (rows.length === 0) say(where, "no rows");
    if (names.length < 2) say(where, "no columns");
    for (const row of rows) if (row.cells.length !== names.length) say(where, "a row does not fit the head");
    for (const cell of [...names, ...rows.flatMap((row) => [...row.cells])])
      if (!cell.textContent.trim()) say(where, `an empty cell in ${cell.parentElement.textContent}`);
    // Names of rows stay in sight while figures scroll below them.
    const holder = table.parentElement;
    if (rows.length > 0 && scrolls(holder) && holder.scrollWidth > holder.clientWidth) {
      holder.scrollLeft = holder.scrollWidth;
      const name = rows[0].cells[0].getBoundingClientRect();
      if (Math.abs(name.left - holder.getBoundingClientRect().left) > SLACK) say(where, "names of rows scroll away");
      holder.scrollLeft = 0;
    }
  }

  // A line of a plot is thicker than axes and grid; marks are circles.
  const colour = (value) => {
    const probe = document.createElement("i");
    probe.style.color = value;
    return probe.style.color;
  };
  const plots = [...document.querySelectorAll("svg")];
  if (plots.length === 0) say("page", "no plot");
  for (const plot of plots) {
    const where = `${place(plot)}, plot`;
    const box = plot.getBoundingClientRect();
    if (!plot.checkVisibility() || box.width < 200 || box.height < 100) {
      say(where, `${box.width} by ${box.height} pixels`);
      continue;
    }
    const lines = [...plot.querySelectorAll("polyline")].filter((line) => +line.getAttribute("stroke-width") > 1);
    const marks = [...plot.querySelectorAll("circle")];
    if (lines.length + marks.length === 0) say(where, "nothing is drawn");
    for (const shape of [...lines, ...marks]) {
      const inner = shape.getBoundingClientRect();
      // A single pass is a mark.
      if (inner.width === 0 && marks.length === 0) say(where, "a line without length");
      if (!within(inner, box)) say(where, "a line leaves the plot");
    }
    const legend = plot.closest("div")?.nextElementSibling ?? plot.nextElementSibling;
    if (legend?.matches("ul.legend")) {
      const named = [...legend.querySelectorAll("li")];
      const drawn = lines.map((line) => colour(line.getAttribute("stroke"))).sort();
      const keys = named.map((entry) => getComputedStyle(entry.querySelector("span")).backgroundColor).sort();
      if (`${drawn}` !== `${keys}`) say(where, `the legend's colours ${keys} are not the lines' ${drawn}`);
      if (new Set(keys).size < keys.length) say(where, "two lines have the same colour");
      if (!named.every((entry) => entry.textContent.trim())) say(where, "a line without a name");
    }
    const texts = [...plot.querySelectorAll("text")];
    // Two axes, each with a name and two ticks at least.
    if (texts.length < 6) say(where, `only ${texts.length} labels`);
    const boxes = texts.map((text) => text.getBoundingClientRect());
    const sizes = texts.map((text) => {
      const { a, b } = text.getScreenCTM();
      return parseFloat(getComputedStyle(text).fontSize) * Math.hypot(a, b);
    });
    const least = Math.min(...sizes);
    if (least < LEAST_LABEL) say(where, `labels of ${least.toFixed(1)} pixels`);
    texts.forEach((text, at) => {
      const label = `label "${text.textContent.trim()}"`;
      if (!text.textContent.trim()) say(where, "an empty label");
      if (!within(boxes[at], box)) say(where, `${label} leaves the plot`);
      for (let other = 0; other < at; other++) {
        const [one, two] = [boxes[at], boxes[other]];
        if (one.left < two.right - SLACK && two.left < one.right - SLACK &&
            one.top < two.bottom - SLACK && two.top < one.bottom - SLACK)
          say(where, `${label} covers "${texts[other].textContent.trim()}"`);
      }
    });
  }
  return { found, tables: tables.length, plots: plots.length };
};

const findings = [];
const browser = await chromium.launch({
  executablePath: process.env.ENDCAP_CHROMIUM,
  timeout: 60_000,
  // Beside playwright's own, which keep it without a sandbox (root has none) and off the network in the background.
  args: ["--disable-gpu", "--disable-quic", "--disable-sync", "--disable-component-update"],
});
try {
  for (const width of WIDTHS) {
    const context = await browser.newContext({ viewport: { width, height: 900 }, offline: true });
    const page = await context.newPage();
    const say = (what) => findings.push(`${width} pixels: ${what}`);
    page.on("console", (message) => ["error", "warning"].includes(message.type()) && say(`console: ${message.text()}`));
    page.on("pageerror", (error) => say(`script: ${error.message}`));
    page.on("request", (request) => request.url() !== url && say(`asks for ${request.url()}`));
    await page.goto(url, { waitUntil: "load", timeout: 30_000 });
    const { found, tables, plots } = await page.evaluate(inspect);
    found.forEach(say);
    if (screenshots) await page.screenshot({ path: join(screenshots, `${width}.png`), fullPage: true });
    console.log(`${width} pixels: ${tables} tables, ${plots} plots`);
    await context.close();
  }
} finally {
  await browser.close();
}
findings.forEach((finding) => console.error(finding));
process.exitCode = findings.length === 0 ? 0 : 1;
