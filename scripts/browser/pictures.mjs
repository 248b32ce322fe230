// Pictures of an HTML report: the overview, a query with its finding, its plan, an N+1 pattern; and of a diff.
//
// usage: node pictures.mjs AUDIT.html DIFF.html DIRECTORY
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium } from './start.mjs';

const [audit, diff, directory] = process.argv.slice(2);
const browser = await chromium();

async function picture(name, file, { hash = '', colorScheme = 'light', width = 1280, height = 760, at = null }) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme });
  const page = await context.newPage();
  await page.goto(pathToFileURL(resolve(file)).href + hash);
  await page.waitForSelector('#main h1');
  if (at) await page.evaluate((selector) => document.querySelector(selector)?.scrollIntoView({ block: 'start' }), at);
  await page.waitForTimeout(200);
  await page.screenshot({ path: join(directory, `${name}.png`) });
  await context.close();
}

// The query whose plan says most: of those with a proven fix the one with the largest plan.
async function chosen(file) {
  const page = await browser.newPage();
  await page.goto(pathToFileURL(resolve(file)).href);
  const found = await page.evaluate(() => {
    const read = (id) => JSON.parse(document.getElementById(id).textContent);
    const report = read('report');
    const findings = report.findings.filter((finding) => finding.query && !finding.suppressed);
    const size = (name) => Math.max(0, ...read(`query-${report.queries.findIndex((query) => query.name === name)}`).runs.map((run) => run.plan.nodes.length));
    const proven = findings.filter((finding) => finding.fix?.proof && finding.severity === 'error').map((finding) => finding.query);
    return {
      proven: proven.sort((a, b) => size(b) - size(a))[0],
      // Of a size that a picture shows whole.
      planned: findings.filter((finding) => finding.severity === 'error' && finding.node !== null && size(finding.query) < 9)
        .sort((a, b) => size(b.query) - size(a.query))[0]?.query,
      turns: findings.find((finding) => finding.calls_in_turn)?.query,
    };
  });
  await page.close();
  return found;
}

const { proven, planned, turns } = await chosen(audit);
await picture('html-overview', audit, {});
await picture('html-query', audit, { hash: `#/query/${proven}`, height: 860 });
await picture('html-plan', audit, { hash: `#/query/${planned}`, colorScheme: 'dark', width: 1500, height: 620, at: '#runs-title' });
await picture('html-n-plus-one', audit, { hash: `#/query/${turns}`, height: 640, at: '.n-plus-one' });
await picture('html-diff', diff, { height: 860, at: '#verdicts-title, #migration-title' });
await browser.close();
