// What to do first, then what it stands on.

function overviewPage(report) {
  const { verdict } = report;
  const title = { audit: 'Audit', explain: 'Plans', diff: 'Diff' }[report.command];
  return make('div', { class: 'overview' },
    heading(1, title),
    make('div', { class: `verdict ${verdict.worst}` },
      make('p', { class: 'verdict-counts' }, verdict.counts, verdict.of.in && ` in ${verdict.of.in}`),
      make('p', { class: 'quiet' }, [verdict.of.standings, `exit code ${verdict.exit_code}: ${verdict.exit_reason}`].filter(Boolean).join(' · '))),
    report.notes.map((note) => make('p', { class: 'note' }, note)),
    report.first.length > 0 && section('first', report.first.length === 1 ? 'What costs most' : `The ${report.first.length} findings that cost most`,
      make('ol', { class: 'first' }, report.first.map((at) => make('li', {}, firstOf(report, report.findings[at]))))),
    report.fixes.length > 0 && section('fixes', 'What to do, by what it saves',
      make('div', { class: 'fixes' }, report.fixes.map((fix) => fixCard(report, fix)))),
    sizesSections(report),
    report.queries.length > 1 && whereItGoes(report),
    unseen(report),
    report.tables.length > 0 && datasetSummary(report));
}

function firstOf(report, finding) {
  const impact = finding.cost && `${finding.cost} a call${finding.calls ? ` × ${finding.calls} calls/s` : ''}`;
  const name = finding.query ?? finding.about ?? 'the schema';
  return make('a', { class: `card link ${finding.severity}`, href: places.finding(finding.id) },
    make('span', { class: 'card-title' }, badge(finding.severity, SEVERITY[finding.severity]), ' ', make('strong', {}, name), ' ', ruleName(finding.rule)),
    make('span', { class: 'message' }, prose(finding.message)),
    impact && make('span', { class: 'cost' }, impact));
}

function fixCard(report, fix) {
  const facts = [fix.size && `${fix.size} on disk`, ...(fix.saves.length > 0 ? fix.saves : ['not measured']), ...fix.prices].filter(Boolean);
  return make('div', { class: 'card fix' },
    fix.rewrite && make('p', { class: 'label' }, 'Another form of the query'),
    pasteable(fix.sql),
    fix.queries.length > 0 && make('p', {}, 'for ', fix.queries.map((name, at) =>
      [at > 0 && ', ', make('a', { href: places.query(name) }, name)])),
    make('p', { class: 'facts' }, facts.map((fact) => make('span', {}, prose(fact)))),
    fix.proof && proofBars(fix.proof, 'time'));
}

// The queries that take most of the server, by time and by pages, each weighed by its calls.
function whereItGoes(report) {
  const calls = (query) => query.calls ?? 1;
  const views = {
    time: { name: 'time', of: (query) => (query.ms ?? 0) * calls(query), text: (value) => `${millis(value)}/s` },
    pages: { name: 'pages', of: (query) => (query.pages ?? 0) * calls(query), text: (value) => `${count(Math.round(value))}/s` },
  };
  const place = make('div', {});
  const show = (key) => {
    const { of, text } = views[key];
    const ranked = report.queries.map((query) => ({ query, value: of(query) })).filter(({ value }) => value > 0)
      .sort((a, b) => b.value - a.value);
    const all = ranked.reduce((sum, { value }) => sum + value, 0);
    const top = ranked.slice(0, 12);
    const rest = ranked.slice(12).reduce((sum, { value }) => sum + value, 0);
    const row = (name, value, standing) => make('li', { class: 'bar-row' },
      make('span', { class: 'bar-name' }, name),
      make('span', { class: 'track' }, make('span', { class: `bar ${standing}`, vars: { '--share': value / top[0].value } })),
      make('span', { class: 'bar-value' }, `${text(value)} · ${percent(value / all)}`));
    place.replaceChildren(make('ul', { class: 'bars' },
      top.map(({ query, value }) => row(make('a', { href: places.query(query.name) }, query.name), value, query.standing.replace(/ /g, '-'))),
      rest > 0 && row(make('span', { class: 'quiet' }, some(ranked.length - 12, 'other query', 'other queries')), rest, 'other')));
    buttons.forEach((button) => button.setAttribute('aria-pressed', String(button.value === key)));
  };
  const buttons = Object.keys(views).map((key) => make('button', { type: 'button', value: key, on: { click: () => show(key) } }, views[key].name));
  show('time');
  return section('where', 'Where time and pages go',
    make('p', { class: 'quiet' }, 'Of one call, times the calls a second that `@calls` says; a query without it counts as called once a second.'.replace(/`/g, '')),
    make('div', { class: 'toolbar', role: 'group', 'aria-label': 'Counted by' }, make('span', { class: 'together' }, buttons)),
    place);
}

// What nothing is known of: said here, so that nobody takes it for fine.
function unseen(report) {
  const failed = report.findings.filter((finding) => finding.rule === 'not-audited' && !finding.suppressed);
  const left = report.skipped.filter((skipped) => skipped.left_out);
  const unproven = report.findings.filter((finding) => finding.rule === 'not-proven' && !finding.suppressed);
  const planned = report.queries.filter((query) => query.standing === 'planned only');
  const accepted = report.findings.filter((finding) => finding.suppressed);
  const list = (title, items) => items.length > 0 && make('details', { open: items.length <= 12 },
    make('summary', {}, `${title}: ${items.length}`), make('ul', {}, items));
  const link = (name) => make('a', { href: places.query(name) }, name);
  const lists = [
    list('Not audited', failed.map((finding) => make('li', {}, finding.place && make('code', {}, finding.place), ' ', prose(finding.message), ' ',
      make('span', { class: 'quiet' }, prose(finding.advice))))),
    list('Not proven, no row was met', unproven.map((finding) => make('li', {}, finding.query ? link(finding.query) : finding.about, ' ',
      make('span', { class: 'quiet' }, prose(finding.message))))),
    list('Planned only', planned.map((query) => make('li', {}, link(query.name)))),
    list('Left out', left.map((skipped) => make('li', {}, make('code', {}, skipped.place), ` ${skipped.name}: ${skipped.reason}`))),
    list('Accepted, does not count', accepted.map((finding) => make('li', {},
      make('a', { href: places.finding(finding.id) }, `${finding.query ?? finding.about ?? 'the schema'}: ${finding.rule}`), ` ${finding.suppressed.reason}`))),
  ].filter(Boolean);
  return lists.length > 0 && section('unseen', 'Not audited, not proven, left out', lists);
}

function datasetSummary(report) {
  const rows = report.tables.reduce((sum, entry) => sum + entry.rows, 0);
  const size = report.tables.reduce((sum, entry) => sum + entry.bytes, 0);
  const { dataset } = report;
  return section('dataset', 'The dataset',
    make('p', { class: 'facts' }, [
      `${some(report.tables.length, 'table')} of ${some(rows, 'row')}, ${bytes(size)}`,
      dataset ? `dataset ${dataset.fingerprint.slice(0, 8)}, seed ${dataset.seed}, scale ${dataset.scale}` : report.copyOf ? `a copy of ${report.copyOf}` : 'a given database',
      report.server && `PostgreSQL ${report.server}`,
      report.verdict.of.executions,
    ].filter(Boolean).map((fact) => make('span', {}, fact))),
    report.settings.length > 0 && make('p', { class: 'facts' }, report.settings.map(([name, value]) => make('code', {}, `${name} = ${value}`))),
    make('details', {}, make('summary', {}, 'Tables and indexes'), tablesOf(report)));
}

function tablesOf(report) {
  const rows = report.tables.map((entry) => [
    entry.name, count(entry.rows), bytes(entry.bytes),
    entry.partitions > 0 ? count(entry.partitions) : '',
    make('ul', { class: 'plain small' }, entry.indexes.map((index) => make('li', {}, index.name, ' ', make('span', { class: 'quiet' }, index.definition)))),
  ]);
  return table('Tables', [['table', ''], ['rows', 'number'], ['size', 'number'], ['partitions', 'number'], ['indexes', 'wide']], rows);
}

// Every finding, one line each; the costliest first.
function findingsPage(report) {
  const rows = report.findings.map((finding) => ({
    finding,
    element: make('li', {}, make('a', { class: `row ${finding.severity}${finding.suppressed ? ' suppressed' : ''}`, href: places.finding(finding.id) },
      badge(finding.severity, SEVERITY[finding.severity]),
      make('span', { class: 'row-name' }, make('strong', {}, finding.query ?? finding.about ?? 'the schema'), ' ', ruleName(finding.rule)),
      make('span', { class: 'row-text' }, prose(finding.message)),
      make('span', { class: 'cost' }, finding.cost ?? ''))),
  }));
  const choice = (label, values, of) => {
    const select = make('select', { on: { change: show } }, make('option', { value: '' }, `every ${label}`),
      values.map((value) => make('option', { value }, SEVERITY[value] ?? value)));
    return { element: make('label', {}, make('span', { class: 'unseen' }, label), select), fits: (finding) => !select.value || of(finding) === select.value };
  };
  const severity = choice('severity', ['error', 'warning', 'info'], (finding) => finding.severity);
  const rule = choice('rule', Object.keys(report.rules).filter((id) => report.findings.some((finding) => finding.rule === id)), (finding) => finding.rule);
  const told = make('span', { class: 'quiet', role: 'status' });
  function show() {
    let number = 0;
    for (const { finding, element } of rows) {
      element.hidden = !(severity.fits(finding) && rule.fits(finding));
      if (!element.hidden) number += 1;
    }
    told.textContent = `${number} of ${report.findings.length}, costliest first`;
  }
  show();
  return make('div', {}, heading(1, 'Findings'),
    make('div', { class: 'toolbar', role: 'group', 'aria-label': 'Which findings' }, severity.element, rule.element, told),
    make('ul', { class: 'rows' }, rows.map(({ element }) => element)));
}

// Findings about tables, indexes and migrations.
function schemaPage(report) {
  const names = new Set(report.queries.map((query) => query.name));
  const beside = report.findings.filter((finding) => !names.has(finding.query));
  return make('div', {}, heading(1, 'Schema and catalog'),
    beside.length > 0 && section('beside', some(beside.length, 'finding'), beside.map((finding) => findingCard(report, finding, { named: true }))),
    report.tables.length > 0 && section('tables', 'Tables', tablesOf(report)));
}
