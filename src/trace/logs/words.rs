//! The words of PostgreSQL's messages in the languages that its sources are translated into. What is no word of these is told
//! from its structure: a number, a unit, a label, a colon, a statement.

/// One language: what `errfinish` and `postgres.c` write, as its `po` file translates it.
pub(super) struct Language {
    /// `statement`.
    pub(super) statement: &'static str,
    /// `execute`.
    pub(super) execute: &'static str,
    /// `execute fetch from`.
    pub(super) fetch: &'static str,
    /// `parse` and `bind`, wherever they stand in the label.
    pub(super) steps: [&'static str; 2],
    /// `LOG`, `ERROR`.
    pub(super) severities: [&'static str; 2],
    /// `DETAIL`, `STATEMENT`, `CONTEXT`, `QUERY`, `HINT`.
    pub(super) labels: [&'static str; 5],
}

const fn language(
    statement: &'static str,
    execute: [&'static str; 2],
    steps: [&'static str; 2],
    severities: [&'static str; 2],
    labels: [&'static str; 5],
) -> Language {
    let [execute, fetch] = execute;
    Language {
        statement,
        execute,
        fetch,
        steps,
        severities,
        labels,
    }
}

/// A language is one line here.
#[rustfmt::skip]
pub(super) const LANGUAGES: [Language; 12] = [
    language("statement", ["execute", "execute fetch from"], ["parse", "bind"], ["LOG", "ERROR"], ["DETAIL", "STATEMENT", "CONTEXT", "QUERY", "HINT"]),
    language("Anweisung", ["Ausführen", "Ausführen Fetch von"], ["Parsen", "Binden"], ["LOG", "FEHLER"], ["DETAIL", "ANWEISUNG", "ZUSAMMENHANG", "ANFRAGE", "TIPP"]),
    language("sentencia", ["ejecutar", "ejecutar fetch desde"], ["parse", "bind"], ["LOG", "ERROR"], ["DETALLE", "SENTENCIA", "CONTEXTO", "CONSULTA", "HINT"]),
    language("instruction", ["exécute", "exécute fetch à partir de"], ["analyse", "lien"], ["LOG", "ERREUR"], ["DÉTAIL", "INSTRUCTION", "CONTEXTE", "REQUÊTE", "ASTUCE"]),
    language("istruzione", ["esecuzione di", "esecuzione di fetch da"], ["analisi di", "bind"], ["LOG", "ERRORE"], ["DETTAGLI", "ISTRUZIONE", "CONTESTO", "QUERY", "SUGGERIMENTO"]),
    language("文", ["実行", "取り出し実行"], ["パース", "バインド"], ["LOG", "ERROR"], ["詳細", "文", "文脈", "問い合わせ", "ヒント"]),
    language("გამოსახულება", ["გაშვება", "execute fetch from"], ["დამუშავება", "მიბმა"], ["ჟურნალი", "შეცდომა"], ["დეტალები", "ოპერატორი", "კონტექსტი", "მოთხოვნა", "მინიშნება"]),
    language("명령 구문", ["쿼리실행", "자료뽑기"], ["구문분석", "접속"], ["로그", "오류"], ["상세정보", "명령 구문", "내용", "쿼리", "힌트"]),
    language("оператор", ["выполнение", "выборка из"], ["разбор", "Bind"], ["СООБЩЕНИЕ", "ОШИБКА"], ["ПОДРОБНОСТИ", "ОПЕРАТОР", "КОНТЕКСТ", "ЗАПРОС", "ПОДСКАЗКА"]),
    language("sats", ["kör", "kör hämtning från"], ["parse", "bind"], ["LOGG", "FEL"], ["DETALJ", "SATS", "KONTEXT", "FRÅGA", "TIPS"]),
    language("оператор", ["виконувати", "виконати витягнення з"], ["аналізування", "bind"], ["ЗАПИСУВАННЯ", "ПОМИЛКА"], ["ВІДОМОСТІ", "ІНСТРУКЦІЯ", "КОНТЕКСТ", "ЗАПИТ", "УКАЗІВКА"]),
    language("语句", ["执行", "执行FETCH操作"], ["解析", "绑定"], ["日志", "错误"], ["详细信息", "语句", "上下文", "查询", "提示"]),
];

/// Severities beside those of the table, which are the same in most languages.
const OTHERS: [&str; 7] = [
    "WARNING", "NOTICE", "INFO", "FATAL", "PANIC", "DEBUG", "LOCATION",
];

/// Milliseconds.
pub(super) const UNITS: [&str; 5] = ["ms", "мс", "ミリ秒", "მწმs", "მწმ"];

/// A line's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Label {
    /// It begins a message.
    Severity,
    /// It belongs to the message before it.
    Detail,
    /// The statement that failed.
    Statement,
    /// Anything else that belongs to the message before it.
    Other,
}

/// The label that a text ends with, and where it begins.
pub(super) fn label_at_end(text: &str) -> Option<(Label, usize)> {
    let text = text.trim_end_matches(' ');
    let ends = |word: &str| {
        let start = text.len().checked_sub(word.len())?;
        let fits = text.ends_with(word)
            && text[..start]
                .chars()
                .next_back()
                .is_none_or(|before| !before.is_alphanumeric());
        fits.then_some(start)
    };
    // Nearly every line is one of these.
    if let Some(start) = ends("LOG") {
        return Some((Label::Severity, start));
    }
    if let Some(start) = ends("DETAIL") {
        return Some((Label::Detail, start));
    }
    for language in &LANGUAGES {
        for (at, word) in language.labels.iter().enumerate() {
            if let Some(start) = ends(word) {
                let label = match at {
                    0 => Label::Detail,
                    1 => Label::Statement,
                    _ => Label::Other,
                };
                return Some((label, start));
            }
        }
        for word in language.severities {
            if let Some(start) = ends(word) {
                return Some((Label::Severity, start));
            }
        }
    }
    for word in OTHERS {
        if let Some(start) = ends(word) {
            let label = if word == "LOCATION" {
                Label::Other
            } else {
                Label::Severity
            };
            return Some((label, start));
        }
    }
    None
}

/// What a label before a statement says was done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It came as a simple query.
    Statement,
    /// A portal was run.
    Execute,
    /// A portal was run on.
    Fetch,
    /// It was parsed or bound.
    Before,
}

/// The step of a label: `execute S_1/C_2`.
pub(super) fn step(label: &str) -> Option<Step> {
    let begins = |word: &str| {
        // Chinese puts no blank between the word and the name.
        let is_ideograph = word.ends_with(|last| ('\u{4e00}'..='\u{9fff}').contains(&last));
        label
            .strip_prefix(word)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(' ') || is_ideograph)
    };
    for language in &LANGUAGES {
        if label == language.statement {
            return Some(Step::Statement);
        }
        if begins(language.fetch) {
            return Some(Step::Fetch);
        }
        if begins(language.execute) {
            return Some(Step::Execute);
        }
    }
    // A prepared statement may be named like another language's word, so that these come last.
    let mut steps = LANGUAGES.iter().flat_map(|language| language.steps);
    steps
        .any(|word| label.contains(word))
        .then_some(Step::Before)
}
