// How long Chromium takes to open an HTML report: from the navigation until its page is drawn and answers, and then until a
// query's page is. The median of five.
//
// usage: node open-times.mjs REPORT.html [QUERY]
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium } from './start.mjs';

const [file, query] = process.argv.slice(2);
const browser = await chromium();
const median = (times) => times.sort((a, b) => a - b)[Math.floor(times.length / 2)];
const opened = [];
const drawn = [];
for (let n = 0; n < 5; n += 1) {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  await page.goto(pathToFileURL(resolve(file)).href);
  opened.push(await page.evaluate(() => performance.getEntriesByName('pgproof-interactive')[0].startTime));
  if (query) {
    drawn.push(await page.evaluate(async (name) => {
      const start = performance.now();
      location.hash = `#/query/${encodeURIComponent(name)}`;
      await new Promise((done) => window.addEventListener('hashchange', done, { once: true }));
      [...document.querySelectorAll('.plan button')].find((button) => button.textContent === 'Unfold all')?.click();
      await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
      return performance.now() - start;
    }, query));
  }
  await page.close();
}
console.log(`interactive after ${median(opened).toFixed(0)} ms`);
if (query) console.log(`${query}, whole plan unfolded, after ${median(drawn).toFixed(0)} ms more`);
await browser.close();
