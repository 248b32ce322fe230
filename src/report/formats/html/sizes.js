// How the catalog's work grows, and what its plans become at another size.

function sizesSections(report) {
  return report.sizes.map((sizes, at) => section(`sizes-${at}`, sizes.title,
    make('p', { class: 'quiet' }, sizes.basis),
    sizes.warnings.map((text) => make('p', { class: 'note error' }, text)),
    sizes.runs.map((run) => sizedRun(report, run)),
    sizes.same.length > 0 && make('details', {}, make('summary', {}, `The same plan up to there: ${sizes.same.length}`),
      sizes.same.map((run) => sizedRun(report, run)))));
}

function sizedRun(report, run) {
  const isThere = report.queries.some((query) => query.name === run.query);
  const classes = { error: 'note error', warning: 'note', plain: '', quiet: 'quiet' };
  return make('div', { class: 'card' },
    make('p', {}, make('strong', {}, isThere ? make('a', { href: places.query(run.query) }, run.query) : run.query), ' ',
      make('span', { class: 'quiet' }, run.parameters)),
    run.lines.map(({ tone, text }) => make('p', { class: classes[tone] || null }, text)));
}
