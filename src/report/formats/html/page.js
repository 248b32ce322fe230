// The frame: what there is at the left, what is looked at in the middle, and the address that says which.
const report = data('report');
const diff = data('diff');
const main = document.getElementById('main');
const listed = diff
  ? diff.queries.map((query) => ({ ...query, sql: '', kind: turn(query.verdict), shown: query.standing, calls: null, ms: null }))
  : report.queries.map((query) => ({ ...query, kind: query.standing.replace(/ /g, '-'), shown: query.standing }));
const worstFirst = ['error', 'not-audited', 'warning', 'not-proven', 'planned-only', 'changed', 'fine', 'unchanged'];

function route() {
  const [, kind, ...rest] = location.hash.split('/');
  let name = rest.join('/');
  try { name = decodeURIComponent(name); } catch { /* as it is */ }
  const index = (wanted) => listed.findIndex((query) => query.name === wanted);
  const query = (at) => (diff ? diffQueryPage(report, diff, at) : queryPage(report, at));
  switch (kind) {
    case 'query':
      return index(name) >= 0 ? { view: query(index(name)), name } : { view: missing(name) };
    case 'finding': {
      const finding = report.findings.find((found) => found.id === name);
      if (!finding) return { view: missing(name) };
      const at = index(finding.query);
      return { view: at >= 0 ? query(at) : schemaPage(report), name: at >= 0 ? finding.query : null, target: shown(`finding-${finding.id}`) };
    }
    case 'findings': return { view: findingsPage(report), nav: 'findings' };
    case 'schema': return { view: schemaPage(report), nav: 'schema' };
    default: return { view: diff ? diffPage(report, diff) : overviewPage(report), nav: '' };
  }
}

const missing = (name) => make('div', {}, heading(1, 'Not in this report'), make('p', {}, name));

let first = true;
function open() {
  // Other anchors, as that of the skip link, are the browser's.
  if (location.hash && !location.hash.startsWith('#/')) return;
  const { view, name = null, nav = null, target } = route();
  main.replaceChildren(view);
  const title = view.querySelector('h1');
  document.title = `${title ? title.textContent : 'Report'} – pgproof`;
  for (const plan of view.querySelectorAll('.plan')) plan.dispatchEvent(new CustomEvent('pgproof:shown'));
  for (const link of document.querySelectorAll('#side a')) {
    const isHere = name !== null ? link.dataset.query === shown(name) : link.dataset.nav === nav;
    if (isHere) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  const focus = target && document.getElementById(target);
  if (focus) {
    focus.focus({ preventScroll: true });
    focus.scrollIntoView({ block: 'start' });
  } else if (!first) {
    main.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }
  first = false;
}

function head() {
  const dark = () => document.documentElement.dataset.theme === 'dark'
    || (!document.documentElement.dataset.theme && matchMedia('(prefers-color-scheme: dark)').matches);
  const theme = make('button', { type: 'button', class: 'theme' });
  const tell = () => { theme.textContent = dark() ? 'Light' : 'Dark'; };
  theme.addEventListener('click', () => {
    document.documentElement.dataset.theme = dark() ? 'light' : 'dark';
    try { localStorage.setItem('pgproof-theme', document.documentElement.dataset.theme); } catch { /* a file may not keep anything */ }
    tell();
  });
  try {
    const kept = localStorage.getItem('pgproof-theme');
    if (kept) document.documentElement.dataset.theme = kept;
  } catch { /* nothing is kept then */ }
  tell();
  document.getElementById('head').append(
    make('a', { class: 'brand', href: '#/' }, 'pgproof'),
    make('span', { class: 'quiet' }, [report.tool, report.server && `PostgreSQL ${report.server}`, `took ${report.elapsed}`].filter(Boolean).join(' · ')),
    make('span', { class: 'space' }),
    make('button', { type: 'button', on: { click: () => window.print() } }, 'Print'), theme);
}

function side() {
  const link = (nav, text, number) => make('li', {}, make('a', { href: `#/${nav}`, 'data-nav': nav }, text,
    number !== undefined && make('span', { class: 'number' }, number)));
  const names = new Set(listed.map((query) => query.name));
  const beside = report.findings.filter((finding) => !names.has(finding.query)).length;
  const search = make('input', { type: 'search', id: 'search', placeholder: 'Search queries  ( / )', 'aria-label': 'Search queries', autocomplete: 'off' });
  const kinds = worstFirst.filter((kind) => listed.some((query) => query.kind === kind));
  const chosen = new Set();
  const chips = kinds.map((kind) => make('button', {
    type: 'button', class: `chip ${kind}`, 'aria-pressed': 'false',
    on: {
      click: (event) => {
        const pressed = !chosen.has(kind);
        if (pressed) chosen.add(kind);
        else chosen.delete(kind);
        event.currentTarget.setAttribute('aria-pressed', String(pressed));
        filter();
      },
    },
  }, `${kind.replace(/-/g, ' ')} ${listed.filter((query) => query.kind === kind).length}`));
  const rulesOf = new Map();
  for (const finding of report.findings) {
    if (finding.query) rulesOf.set(finding.query, `${rulesOf.get(finding.query) ?? ''} ${finding.rule} ${finding.about ?? ''}`);
  }
  const ordered = [...listed].sort((a, b) => worstFirst.indexOf(a.kind) - worstFirst.indexOf(b.kind)
    || (b.ms ?? 0) * (b.calls ?? 1) - (a.ms ?? 0) * (a.calls ?? 1));
  const items = ordered.map((query) => ({
    query,
    text: [query.name, query.file, query.sql, query.shown, rulesOf.get(query.name) ?? ''].join('\n').toLowerCase(),
    element: make('li', {}, make('a', { href: places.query(query.name), 'data-query': query.name, title: `${query.file}:${query.line}` },
      make('span', { class: `dot ${query.kind}`, 'aria-hidden': 'true' }),
      make('span', { class: 'item-name' }, query.name),
      make('span', { class: 'unseen' }, `, ${query.shown}`),
      make('span', { class: 'number' }, query.time && query.time !== '-' ? query.time : ''))),
  }));
  const told = make('p', { class: 'quiet small', role: 'status' });
  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let number = 0;
    for (const { query, text, element } of items) {
      element.hidden = !((chosen.size === 0 || chosen.has(query.kind)) && words.every((word) => text.includes(word)));
      if (!element.hidden) number += 1;
    }
    told.textContent = number === items.length ? some(number, 'query', 'queries') : `${number} of ${some(items.length, 'query', 'queries')}`;
  }
  search.addEventListener('input', filter);
  search.addEventListener('keydown', (event) => {
    if (event.key === 'Enter') items.find(({ element }) => !element.hidden)?.element.querySelector('a').click();
  });
  document.addEventListener('keydown', (event) => {
    if (event.key !== '/' || event.ctrlKey || event.metaKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    event.preventDefault();
    search.focus();
  });
  filter();
  document.getElementById('side').append(make('nav', { 'aria-label': 'Report' },
    make('ul', { class: 'nav' }, link('', 'Overview'), report.findings.length > 0 && link('findings', 'Findings', report.findings.length),
      (beside > 0 || report.tables.length > 0) && link('schema', 'Schema', beside || undefined)),
    items.length > 0 && [make('div', { class: 'find' }, search, kinds.length > 1 && make('div', { class: 'chips', role: 'group', 'aria-label': 'Show only' }, chips), told),
      make('ul', { class: 'nav queries' }, items.map(({ element }) => element))]));
}

// On paper the overview is the whole report: every finding follows it, and plans are drawn whole.
let printed = null;
window.addEventListener('beforeprint', () => {
  for (const plan of main.querySelectorAll('.plan')) plan.dispatchEvent(new CustomEvent('pgproof:print'));
  for (const details of main.querySelectorAll('.overview details')) details.open = true;
  if (!main.querySelector('.overview') || printed) return;
  printed = make('div', { class: 'printed' }, heading(2, 'Every finding'),
    report.findings.map((finding) => findingCard(report, finding, { named: true })));
  main.append(printed);
});
window.addEventListener('afterprint', () => {
  printed?.remove();
  printed = null;
});

head();
side();
window.addEventListener('hashchange', open);
open();
performance.mark('pgproof-interactive');
