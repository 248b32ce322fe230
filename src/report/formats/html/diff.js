// Two sides of every plan, and migrations on a line of time.

const WORSE = ['error', 'major-regression', 'regression', 'slower'];
const BETTER = ['improvement', 'major-improvement'];
const turn = (verdict) => (WORSE.includes(verdict) ? 'error' : BETTER.includes(verdict) ? 'fine' : verdict === 'unstable' ? 'warning' : verdict === 'unchanged' ? 'unchanged' : 'changed');

function diffPage(report, diff) {
  const changed = diff.queries.filter((query) => query.verdict !== 'unchanged' || query.standing !== 'unchanged');
  const figure = (run, key) => (run ? `${count(run.before[key])} → ${run.after ? count(run.after[key]) : '–'}` : '–');
  const rows = changed.map((query) => {
    const run = query.runs[0];
    return [
      make('a', { href: places.query(query.name) }, query.name),
      badge(turn(query.verdict), query.standing), figure(run, 'pages'),
      run ? `${run.before.time ?? '–'} → ${run.after?.time ?? '–'}` : '–',
      run?.label ?? query.fresh[0]?.label ?? '–', run?.causes[0] ?? query.fails_after ?? query.failed_before ?? '',
    ];
  });
  const { verdict } = report;
  return make('div', { class: 'overview' },
    heading(1, [diff.from, ' → ', diff.to]),
    make('div', { class: `verdict ${verdict.worst}` },
      make('p', { class: 'verdict-counts' }, verdict.counts),
      make('p', { class: 'quiet' }, `${some(changed.length, 'query', 'queries')} of ${diff.queries.length} changed · exit code ${verdict.exit_code}: ${verdict.exit_reason}`)),
    report.findings.length > 0 && section('first', 'What to look at',
      make('ol', { class: 'first' }, report.findings.map((finding) => make('li', {}, firstOf(report, finding))))),
    changed.length > 0 && section('verdicts', 'Plans',
      table('Queries whose plans changed', [['query', ''], ['verdict', ''], ['pages', 'number'], ['time', 'number'], ['parameters', ''], ['since', 'wide']], rows)),
    diff.statements.length > 0 && section('migration', 'The migration as it ran', timeline(diff)),
    diff.indexes.length > 0 && section('indexes', 'Indexes', make('ul', {}, diff.indexes.map((text) => make('li', {}, text)))),
    diff.rolling.length > 0 && section('rolling', 'The old catalog on the new schema',
      make('ul', {}, diff.rolling.map((query) => make('li', {}, make('strong', {}, query.name), `: ${query.standing}: `,
        (query.runs[0]?.changes ?? []).map((change) => change.text).join('; '))))),
    diff.way_back && section('back', 'The way back', wayBack(diff.way_back)),
    report.tables.length > 0 && datasetSummary(report));
}

function wayBack(back) {
  if (back.clean) return make('p', {}, 'It leads to the same schema and the same plans.');
  return [
    make('p', {}, 'It does not lead back.', back.failure && ` It fails: ${back.failure}`),
    schemaLines(back.schema),
    back.plans.length > 0 && make('p', {}, `Other plans: ${back.plans.join(', ')}`),
  ];
}

const schemaLines = (schema) => !schema.same && make('ul', {},
  schema.missing.map((line) => make('li', {}, 'missing: ', make('code', {}, line))),
  schema.left_over.map((line) => make('li', {}, 'left over: ', make('code', {}, line))));

// Statements one after the other: how long each works, how long its locks stay, and who waits.
function timeline(diff) {
  const total = Math.max(diff.statements.reduce((sum, done) => sum + done.ms, 0), 1);
  const end = diff.statements.reduce(({ at, end: last }, done) => {
    const reach = Math.max(at + Math.max(done.ms, done.held_ms, ...done.waiting.map((query) => query.ms)), last);
    return { at: at + done.ms, end: reach };
  }, { at: 0, end: total }).end;
  let at = 0;
  const lane = (name, from, ms, kind, text) => make('div', { class: `lane ${kind}` },
    make('span', { class: 'lane-name' }, name),
    make('span', { class: 'lane-track' }, make('span', { class: 'lane-bar', vars: { left: `${(from / end) * 100}%`, width: `max(${(ms / end) * 100}%, 3px)` } })),
    make('span', { class: 'lane-value' }, text));
  const statements = diff.statements.map((done) => {
    const from = at;
    at += done.ms;
    const stops = done.locks.filter((lock) => lock.stops);
    const all = [...stops, ...done.under.filter((lock) => lock.stops)];
    const strongest = all.some((lock) => lock.stops === 'reads and writes') ? 'stops-all' : all.length > 0 ? 'stops-writes' : 'stops-none';
    const waiting = done.waiting.slice(0, 6);
    return make('li', { class: 'statement' },
      heading(3, [make('code', {}, done.label)]),
      statement(done.sql),
      make('div', { class: 'lanes' },
        lane('works', from, done.ms, strongest, done.under.length > 0 ? `${done.time}, under ${done.under[0].mode} on ${done.under[0].table}` : done.time),
        stops.length > 0 && lane(`holds ${stops.map((lock) => `${lock.mode} on ${lock.table}`).join(', ')}`, from, done.held_ms, `held ${strongest}`,
          `${done.held}, stops ${stops.some((lock) => lock.stops === 'reads and writes') ? 'reads and writes' : 'writes'}`),
        waiting.map((query) => lane([query.query ?? 'a query', ' waits'], from, query.ms, 'waits', `${query.time}, ${some(query.executions, 'execution')}`)),
        done.waiting.length > waiting.length && make('p', { class: 'quiet' }, `and ${some(done.waiting.length - waiting.length, 'more query', 'more queries')} waited`)),
      make('p', { class: 'facts' }, done.facts.map((fact) => make('span', {}, fact))),
      make('ul', { class: 'plain' }, [...done.sentences, ...done.broken].map((text) => make('li', {}, prose(text)))),
      done.safer && make('details', { open: true }, make('summary', {}, 'A safer form'),
        make('p', {}, prose(done.safer.why)), done.safer.sql.text && pasteable(done.safer.sql), done.safer.measured && make('p', {}, done.safer.measured)));
  });
  return [
    make('p', { class: 'quiet' }, `All lines have one scale: ${millis(end)} in all.`),
    make('ol', { class: 'timeline' }, statements),
    diff.outside && make('p', {}, prose(diff.outside)),
    diff.safer_schema && make('p', {}, diff.safer_schema.same
      ? 'With the safer forms the migration ends in the same schema.' : 'With the safer forms the migration ends in another schema.'),
    diff.safer_schema && schemaLines(diff.safer_schema),
  ];
}

function diffQueryPage(report, diff, index) {
  const query = diff.queries[index];
  const findings = report.findings.filter((finding) => finding.query === query.name);
  return make('div', { class: 'query' },
    heading(1, [query.name, ' ', badge(turn(query.verdict), query.standing)]),
    make('p', { class: 'facts' }, make('span', {}, `${query.file}:${query.line}`)),
    query.failed_before && make('p', { class: 'note' }, `It failed before: ${query.failed_before}`),
    query.fails_after && make('p', { class: 'note error' }, `It fails: ${query.fails_after}`),
    findings.length > 0 && section('findings', some(findings.length, 'finding'), findings.map((finding) => findingCard(report, finding))),
    query.runs.map((run, at) => section(`run-${at}`, [run.label, ': ', run.words], runDiff(run))),
    query.fresh.map((run, at) => section(`fresh-${at}`, run.label,
      make('p', { class: 'facts' }, [run.figures.time, run.figures.pages !== null && some(run.figures.pages, 'page')].filter(Boolean).map((fact) => make('span', {}, fact))),
      make('pre', { class: 'tree', tabindex: '0', role: 'group', 'aria-label': 'Plan' }, run.tree.join('\n')))));
}

function runDiff(run) {
  const { before, after } = run;
  const bars = after && make('div', { class: 'proof' },
    before.ms !== null && after.ms !== null && beforeAfter('time', before.ms, after.ms, [before.time, after.time]),
    before.pages !== null && after.pages !== null && beforeAfter('pages', before.pages, after.pages, [count(before.pages), count(after.pages)]));
  const cell = (text, kind) => make('td', { class: kind }, make('code', {}, text ?? ''));
  const lines = run.lines.map(([left, right, same]) => make('tr', { class: same ? null : 'changed' },
    cell(left, !same && left !== null ? 'gone' : null),
    make('td', { class: 'sign' }, same ? '' : make('span', {}, left === null ? '+' : right === null ? '−' : '≠')),
    cell(right, !same && right !== null ? 'come' : null)));
  return [
    run.parameters.length > 0 && make('p', { class: 'facts' }, run.parameters.map((text) => make('code', {}, text))),
    make('ul', {}, run.changes.map((change) => make('li', {}, prose(change.text), ' ', ruleName(change.name)))),
    run.causes.map((text) => make('p', {}, prose(text))),
    run.until_analyze && make('p', { class: 'note' }, `Until ANALYZE has run: ${run.until_analyze}`),
    bars,
    make('div', { class: 'scroll', tabindex: '0', role: 'group', 'aria-label': 'Plans side by side' },
      make('table', { class: 'side-by-side' }, make('caption', { class: 'unseen' }, 'Plans side by side'),
        make('thead', {}, make('tr', {}, make('th', { scope: 'col' }, 'before'), make('td', {}), make('th', { scope: 'col' }, after ? 'after' : 'after: it fails'))),
        make('tbody', {}, lines))),
  ];
}
