// Opens the HTML reports that the test wrote in a real Chromium: nothing on the console, nothing over the network, the main
// paths by mouse and by keyboard, axe on every page in both themes, and nothing of the data as markup.
//
// usage: node check.mjs DIRECTORY
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { axe, chromium } from '../../../../scripts/browser/start.mjs';

const [directory] = process.argv.slice(2);
const address = (name, hash = '') => pathToFileURL(join(directory, `${name}.html`)).href + hash;
const browser = await chromium();

async function opened(name, hash = '', options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  const page = await context.newPage();
  // A busy machine is no failure.
  page.setDefaultTimeout(120_000);
  page.said = [];
  page.on('console', (message) => page.said.push(`console ${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => page.said.push(`error: ${error.stack ?? error}`));
  page.on('dialog', (dialog) => { page.said.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on('request', (request) => { if (!request.url().startsWith(address(name))) page.said.push(`request: ${request.url()}`); });
  await page.goto(address(name, hash));
  return page;
}

async function closed(page) {
  assert.deepEqual(page.said, []);
  await page.context().close();
}

async function accessible(page, what) {
  // Playwright's evaluate is the debugger's, which a content security policy leaves alone.
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  const told = violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.slice(0, 3).map((node) => `${node.html.slice(0, 160)} (${node.failureSummary?.split('\n').slice(1, 3).join(' ')})`).join(' | ')}`);
  assert.deepEqual(told, [], `axe on ${what}`);
}

const hashes = (page) => page.evaluate(() => {
  const links = [...document.querySelectorAll('#side a')].map((link) => link.getAttribute('href'));
  const findings = JSON.parse(document.getElementById('report').textContent).findings.map((finding) => `#/finding/${finding.id}`);
  return [...links, ...findings];
});

const checks = {
  async 'every part of every report opens without a word, and axe has nothing to say'() {
    for (const name of ['audit', 'explain', 'diff', 'failing', 'empty']) {
      const page = await opened(name);
      for (const hash of await hashes(page)) {
        await page.goto(address(name, hash));
        await page.waitForSelector('#main h1');
        // A finding's page is its query's.
        if (!hash.startsWith('#/finding/')) await accessible(page, `${name}${hash}`);
      }
      await closed(page);
    }
    for (const [name, hash] of [['audit', ''], ['audit', '#/findings'], ['audit', '#/query/ListOrdersByCustomer'], ['diff', '']]) {
      const page = await opened(name, hash, { colorScheme: 'dark' });
      await accessible(page, `${name}${hash} in the dark`);
      await closed(page);
    }
  },

  async 'from what costs most to its finding, its plan and back'() {
    const page = await opened('audit');
    const link = page.locator('.first a').first();
    const href = await link.getAttribute('href');
    await link.click();
    const focused = await page.evaluate(() => document.activeElement.id);
    assert.equal(`#/finding/${focused.replace('finding-', '')}`, href);
    await page.goBack();
    await page.locator('.fixes a', { hasText: 'ListOrdersByCustomer' }).first().click();
    await page.locator('.finding .proof .bar-row').nth(3).waitFor();
    assert.ok(await page.locator('.finding .proof .bar-row').count() >= 4, 'before and after');
    assert.ok(await page.locator('.sql .ink-k').count() > 0, 'colours');
    assert.ok(await page.locator('.sql mark').count() > 0, 'the clause at fault is marked');
    await page.locator('.node .node-found .badge').first().waitFor();
    assert.ok(await page.locator('.node .node-found .badge').count() > 0, 'findings at their nodes');
    await page.goBack();
    assert.match(await page.locator('.verdict-counts').textContent(), /3 errors|2 errors/);
    // The address alone leads to the finding.
    const again = await opened('audit', href);
    assert.equal(await again.evaluate(() => document.activeElement.id), focused);
    await closed(again);
    await closed(page);
  },

  async 'a plan by keyboard: walking, folding, choosing, zooming'() {
    const page = await opened('audit', '#/query/ListOrdersByCustomer');
    const focused = () => page.evaluate(() => document.activeElement.textContent);
    const levels = await page.locator('[role=treeitem]').count();
    assert.ok(levels >= 3);
    await page.locator('[role=treeitem][tabindex="0"]').focus();
    await page.keyboard.press('Home');
    const root = await focused();
    await page.keyboard.press('ArrowRight');
    assert.notEqual(await focused(), root, 'to the first child');
    await page.keyboard.press('ArrowLeft');
    assert.equal(await page.locator('[role=treeitem]').count(), 2, 'the child is folded');
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute('aria-expanded')), 'false');
    await page.keyboard.press('ArrowLeft');
    assert.equal(await focused(), root, 'to the parent');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    assert.equal(await page.locator('[role=treeitem]').count(), levels, 'unfolded');
    await page.keyboard.press('End');
    await page.keyboard.press('Enter');
    const label = await page.locator('.node.selected .node-label').textContent();
    assert.equal(await page.locator('.details h4').textContent(), label);
    assert.match(await page.locator('.details').textContent(), /cost/);
    const width = async () => (await page.locator('.node').first().boundingBox()).width;
    const before = await width();
    await page.keyboard.press('-');
    assert.ok(await width() < before * 0.9);
    await page.getByRole('button', { name: 'own pages' }).click();
    assert.equal(await page.getByRole('button', { name: 'own pages' }).getAttribute('aria-pressed'), 'true');
    assert.match(await page.locator('.node-cost').first().textContent(), /page/);
    await closed(page);
  },

  async 'search, filters and the way past the navigation'() {
    const page = await opened('audit');
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
    assert.ok(await page.locator('.overview').isVisible());
    await page.keyboard.press('/');
    await page.keyboard.type('group by');
    const seen = () => page.locator('.queries li:visible').allTextContents();
    assert.equal((await seen()).length, 1, 'by the text of the statement');
    await page.keyboard.press('Enter');
    await page.locator('h1', { hasText: 'RevenueByCustomer' }).waitFor();
    await page.locator('#search').fill('missing-index');
    assert.match((await seen()).join(), /ListOrdersByCustomer/);
    await page.locator('#search').fill('');
    await page.locator('.chip.fine').click();
    assert.match((await seen()).join(), /GetCustomer/);
    assert.doesNotMatch((await seen()).join(), /ListOrdersByCustomer/);
    await page.locator('[data-nav=findings]').click();
    const rows = page.locator('.rows li:visible');
    await rows.first().waitFor();
    const all = await rows.count();
    await page.getByLabel('severity').selectOption('error');
    await rows.nth(all - 1).waitFor({ state: 'detached' });
    const errors = await rows.count();
    assert.ok(errors > 0 && errors < all);
    await closed(page);
  },

  async 'themes, paper and narrow windows'() {
    const page = await opened('audit', '', { colorScheme: 'light' });
    const back = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await back();
    await page.locator('.theme').click();
    assert.notEqual(await back(), light);
    const findings = await page.evaluate(() => JSON.parse(document.getElementById('report').textContent).findings.length);
    await page.evaluate(() => window.dispatchEvent(new Event('beforeprint')));
    await page.emulateMedia({ media: 'print' });
    assert.equal(await page.locator('.printed .finding').count(), findings);
    assert.equal(await page.locator('#side').isVisible(), false);
    assert.ok((await page.pdf()).length > 20_000);
    await closed(page);
    const narrow = await opened('audit', '#/query/ListOrdersByCustomer', { viewport: { width: 390, height: 800 } });
    assert.ok(await narrow.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), 'no sideways scrolling');
    await closed(narrow);
  },

  async 'calls in turn are drawn, migrations have a line of time, plans stand side by side'() {
    const page = await opened('audit', '#/query/ListItemsOfOrder');
    assert.equal(await page.locator('.sequence svg').count(), 2);
    assert.match(await page.locator('.sequence.is').textContent(), /46 more round trips/);
    await closed(page);
    const diff = await opened('diff');
    assert.ok(await diff.locator('.statement .lane').count() >= 3, 'lanes');
    assert.ok(await diff.locator('.lane.waits').count() >= 1, 'who waits');
    await diff.locator('.overview table a', { hasText: 'ListOrders' }).click();
    await diff.waitForSelector('.side-by-side');
    assert.ok(await diff.locator('.side-by-side .gone').count() > 0, 'what is gone');
    assert.ok(await diff.locator('.side-by-side .come').count() > 0, 'what came');
    await closed(diff);
  },

  async 'data stay text'() {
    const page = await opened('hostile');
    for (const hash of await hashes(page)) {
      await page.goto(address('hostile', hash));
      await page.waitForSelector('#main h1');
      const made = await page.evaluate(() => ({
        run: window.hacked,
        elements: document.querySelectorAll('#page script, #page img, #page iframe, #page style, #page b, #page object, #page base').length,
        listeners: [...document.querySelectorAll('#page *')].filter((element) => [...element.attributes].some((attribute) => attribute.name.startsWith('on'))).length,
        elsewhere: [...document.querySelectorAll('#page a')].filter((link) => !link.getAttribute('href').startsWith('#')).length,
      }));
      assert.deepEqual(made, { run: undefined, elements: 0, listeners: 0, elsewhere: 0 }, hash);
    }
    const text = await page.evaluate(() => { location.hash = '#/findings'; return new Promise((done) => setTimeout(() => done(document.getElementById('main').textContent), 200)); });
    assert.ok(text.includes('</script><script>window.hacked=1</script>'), 'shown as it is');
    assert.ok(text.includes('<img src=x onerror=window.hacked=1>'));
    assert.ok(text.includes('\\u{202e}'), 'a mark that turns text around is spelled out');
    await closed(page);
  },

  async 'a policy keeps out what is not the page’s own script'() {
    const page = await opened('audit');
    await page.evaluate(() => {
      const script = document.createElement('script');
      script.textContent = 'window.hacked = 1';
      document.body.append(script);
    });
    assert.equal(await page.evaluate(() => window.hacked), undefined);
    assert.ok(page.said.every((said) => said.includes('Content Security Policy')), page.said.join());
    page.said = [];
    await closed(page);
  },

  async 'many queries and large plans are drawn as far as they are seen'() {
    const page = await opened('large');
    assert.equal(await page.locator('.queries li').count(), 505);
    await page.goto(address('large', '#/query/Wide'));
    assert.match(await page.locator('.plan .toolbar').textContent(), /1,003 nodes/);
    await page.getByRole('button', { name: 'Unfold all' }).click();
    const drawn = await page.locator('.node').count();
    assert.ok(drawn > 3 && drawn < 200, `${drawn} of 1,003 nodes are in the document`);
    await page.locator('[role=treeitem][tabindex="0"]').focus();
    await page.keyboard.press('End');
    const last = await page.evaluate(() => document.activeElement.textContent);
    assert.match(last, /part_1000/);
    await page.goto(address('large', '#/query/Deep'));
    await page.getByRole('button', { name: 'Unfold all' }).click();
    await page.locator('[role=treeitem][tabindex="0"]').focus();
    await page.keyboard.press('End');
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute('aria-level')), '101');
    await closed(page);
  },
};

let failed = 0;
for (const [name, check] of Object.entries(checks)) {
  const start = performance.now();
  try {
    await check();
    console.log(`ok      ${name} (${Math.round(performance.now() - start)} ms)`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}\n${error.stack ?? error}`);
  }
}
await browser.close();
process.exit(failed === 0 ? 0 : 1);
