//! A report as one page: tables and plots in a file that needs nothing else, and no script.

use endcap_core::format::{Blend, KnnParameters};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use plotters::prelude::*;

use super::metrics::{CUTOFFS, Calibration};
use super::report::{Report, SplitReport};
use super::run::Row;
use super::segment::Segment;
use crate::report::count;

/// Size of a plot, pixels.
const SIZE: (u32, u32) = (760, 360);
/// Lines of a plot, one for each method: apart in hue or in lightness (after Okabe and Ito, 2008, and Tol, 2021).
const COLOURS: [RGBColor; 14] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
    RGBColor(0, 0, 0),
    RGBColor(136, 136, 136),
    RGBColor(51, 34, 136),
    RGBColor(153, 153, 51),
    RGBColor(136, 34, 85),
    RGBColor(170, 221, 170),
    RGBColor(120, 60, 20),
    RGBColor(0, 85, 85),
];
/// Index of cut-off 10.
const AT_10: usize = 1;

const STYLE: &str = "\
body{font:15px/1.5 system-ui,sans-serif;max-width:1100px;margin:2rem auto;padding:0 1rem;color:#1b1b1b}
h1{font-size:1.6rem}
h2{margin-top:2.5rem;border-bottom:1px solid #ccc}
dt{font-weight:600}
dd{margin:0 0 .4rem 1rem}
p.note{color:#555}
div.wide{overflow-x:auto}
table{border-collapse:collapse;font-size:13px}
tr{background:#fff}
tbody tr:nth-child(even){background:#f5f5f5}
th,td{padding:.25rem .55rem;text-align:right}
td{white-space:nowrap}
th{vertical-align:bottom;max-width:8rem}
th:first-child,td:first-child{text-align:left;position:sticky;left:0;background:inherit}
thead th{border-bottom:2px solid #888}
td.best{font-weight:700}
svg{display:block}
code{overflow-wrap:anywhere}
ul.legend{list-style:none;padding:0;display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;font-size:13px}
ul.legend span{display:inline-block;width:1.4rem;height:.25rem;margin-right:.4rem;vertical-align:middle}
";

/// A plot that could not be drawn: a mistake here.
#[derive(Debug, thiserror::Error)]
#[error("a plot could not be drawn: {0}")]
pub struct PageError(String);

/// The page; `command` is what made it.
///
/// # Errors
/// Where a plot cannot be drawn.
pub fn page(report: &Report, command: &str) -> Result<String, PageError> {
    let protocol = serde_json::to_value(report.protocol).unwrap_or_default();
    let protocol = protocol.as_str().unwrap_or_default().to_owned();
    let splits = report.splits.iter().map(split).collect::<Result<Vec<_>, _>>()?;
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "endcap: evaluation, " (protocol) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "Evaluation: " (protocol) }
                p.note {
                    "Every figure ranks the whole catalogue and comes from the packed model through the code that serves. \
                     Made by "
                    code { (command) }
                    "."
                }
                @for split in &splits { (split) }
            }
        }
    };
    Ok(page.into_string())
}

fn split(report: &SplitReport) -> Result<Markup, PageError> {
    let cases = report.rows.first().map_or(0, |row| row.figures.cases);
    let curves: Vec<Line> = report
        .rows
        .iter()
        .map(|row| Line {
            name: row.method.as_str().to_owned(),
            points: (1..).zip(row.figures.recall_by_length.iter().copied()).collect(),
        })
        .collect();
    let of_passes = |name: &str, value: &dyn Fn(&super::report::PassFigures) -> f64| {
        let points = report.passes.iter().map(|pass| (pass.pass as i32, value(pass))).collect();
        plot("pass", name, &[Line { name: name.to_owned(), points }])
    };
    Ok(html! {
        h2 { (report.split) ": " (count(cases as u64)) " questions" }
        (about(report))
        h3 { "By method" }
        @if !report.runs.is_empty() {
            p.note { "Means of " (report.runs.len()) " runs that differ in the encoder's seed." }
        }
        (table(&report.rows))
        h3 { "Recall by length of the list" }
        (plot("items in the list", "recall", &curves)?)
        (legend(&curves))
        h3 { "By what is known of the shopper" }
        (segments(&report.rows))
        @for row in report.rows.iter().filter(|row| !row.figures.calibration.is_empty()) {
            h3 { "How sure it is: " (row.method.as_str()) }
            p.note {
                "Items of its lists by the probability that was told with them, and the share of them that came. On the line, what \
                 is told is what happens."
            }
            (calibration_plot(&row.figures.calibration)?)
            (calibration(&row.figures.calibration))
        }
        @if !report.passes.is_empty() {
            h3 { "How the encoder learned" }
            p.note { "On all but the newest tenth of the sessions, which the NDCG is of." }
            (of_passes("loss, nats", &|pass| pass.loss)?)
            (of_passes("NDCG@10", &|pass| pass.ndcg10)?)
        }
    })
}

fn about(report: &SplitReport) -> Markup {
    html! {
        dl {
            dt { "Trained on" }
            dd { (count(report.train_events)) " events, " (count(report.train_items as u64)) " items, in "
                (format!("{:.1}", report.train_seconds)) " s" }
            dt { "Model" }
            dd { (count(report.model_bytes as u64)) " bytes" }
            dt { "Weights of the personal list" }
            dd { (weights(&report.parameters.blend, &report.parameters.knn)) }
            @if let Some(opening) = &report.parameters.opening {
                dt { "The same where a visit begins" }
                dd { (weights(&opening.blend, &opening.knn)) }
            }
        }
    }
}

fn weights(blend: &Blend, asked: &KnnParameters) -> Markup {
    let Blend { knn, together, linear, transitions, sequence, again, content } = blend;
    html! {
        "kNN " (knn) " (" (asked) "), co-occurrence " (together) ", linear " (linear) ", transitions " (transitions)
        ", encoder " (sequence) ", again " (again)
        ", content " (content)
    }
}

/// A cell's number, and whether it is the best of its column.
fn cells(rows: &[Row], value: impl Fn(&Row) -> Option<f64>) -> Vec<(String, bool)> {
    let values: Vec<Option<f64>> = rows.iter().map(value).collect();
    let best = values.iter().flatten().copied().fold(f64::NEG_INFINITY, f64::max);
    let cell = |value: Option<f64>| match value {
        Some(value) => (format!("{value:.4}"), value == best && best > 0.0),
        None => ("–".to_owned(), false),
    };
    values.into_iter().map(cell).collect()
}

/// A table; `corner` says what the names of its rows are.
fn grid(corner: &str, names: &[&str], head: &[String], columns: &[Vec<(String, bool)>]) -> Markup {
    html! {
        div.wide { table {
            thead { tr { th { (corner) } @for name in head { th { (name) } } } }
            tbody {
                @for (at, name) in names.iter().enumerate() {
                    tr {
                        td { (name) }
                        @for column in columns {
                            td.best[column[at].1] { (column[at].0) }
                        }
                    }
                }
            }
        } }
    }
}

/// A number of a line.
type Metric<'a> = &'a dyn Fn(&Row) -> f64;

fn table(rows: &[Row]) -> Markup {
    let names: Vec<&str> = rows.iter().map(|row| row.method.as_str()).collect();
    let (mut head, mut columns) = (Vec::new(), Vec::new());
    for (at, k) in CUTOFFS.iter().enumerate() {
        let metrics: [(&str, Metric<'_>); 4] = [
            ("HR", &|row| row.figures.hit_rate[at]),
            ("R", &|row| row.figures.recall[at]),
            ("N", &|row| row.figures.ndcg[at]),
            ("MRR", &|row| row.figures.mrr[at]),
        ];
        for (name, value) in metrics {
            head.push(format!("{name}@{k}"));
            columns.push(cells(rows, |row| Some(value(row))));
        }
    }
    for (at, k) in CUTOFFS.iter().enumerate().skip(AT_10).take(2) {
        head.push(format!("new R@{k}"));
        columns.push(cells(rows, |row| (row.figures.new_cases > 0).then_some(row.figures.new_recall[at])));
        head.push(format!("cold R@{k}"));
        columns.push(cells(rows, |row| (row.figures.cold_cases > 0).then_some(row.figures.cold_recall[at])));
    }
    head.extend(["coverage", "popularity bias", "seconds"].map(str::to_owned));
    columns.push(cells(rows, |row| Some(row.figures.coverage)));
    // Neither has a best: 1 is unbiased, and seconds are of all questions on all cores.
    columns.push(rows.iter().map(|row| (format!("{:.2}", row.figures.popularity_bias), false)).collect());
    columns.push(rows.iter().map(|row| (format!("{:.2}", row.seconds), false)).collect());
    html! {
        (grid("method", &names, &head, &columns))
        p.note {
            "HR hit rate, R recall, N normalised discounted cumulative gain, MRR reciprocal rank of the first hit, each in \
             lists of k. New: only targets that the history does not hold. Cold: only targets without an event in training. \
             Coverage: share of the trained items in some list of 20. Popularity bias: popularity of what is listed over that \
             of what was wanted."
        }
    }
}

fn segments(rows: &[Row]) -> Markup {
    let names: Vec<&str> = rows.iter().map(|row| row.method.as_str()).collect();
    let (mut head, mut columns) = (Vec::new(), Vec::new());
    for segment in Segment::ALL {
        let of = |row: &Row| {
            row.segments.iter().find(|(other, _)| *other == segment).map(|(_, found)| found.clone())
        };
        let Some(cases) = rows.first().and_then(of).map(|figures| figures.cases) else { continue };
        for (name, at) in [("R@10", AT_10), ("R@20", AT_10 + 1)] {
            head.push(format!("{}, {} questions: {name}", segment.as_str(), count(cases as u64)));
            columns.push(cells(rows, |row| of(row).map(|figures| figures.recall[at])));
        }
    }
    grid("method", &names, &head, &columns)
}

fn calibration(bins: &[Calibration]) -> Markup {
    let names: Vec<String> = bins.iter().map(|bin| percent(bin.told)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let head = ["items", "came"].map(str::to_owned);
    let plain = |texts: Vec<String>| texts.into_iter().map(|text| (text, false)).collect();
    let items = bins.iter().map(|bin| count(bin.items as u64)).collect();
    let came = bins.iter().map(|bin| percent(bin.came)).collect();
    grid("told", &names, &head, &[plain(items), plain(came)])
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

/// A plot on the page: where it is wider than the window it scrolls, as its labels would be too small to read otherwise.
fn drawn(svg: String) -> Markup {
    html! { div.wide { (PreEscaped(svg)) } }
}

/// What was told against what came, both axes logarithmic.
fn calibration_plot(bins: &[Calibration]) -> Result<Markup, PageError> {
    let mut svg = String::new();
    draw_calibration(&mut svg, bins).map_err(|error| PageError(error.to_string()))?;
    Ok(drawn(svg))
}

fn draw_calibration(svg: &mut String, bins: &[Calibration]) -> Result<(), Box<dyn std::error::Error>> {
    // Below it a share is one of chance.
    const LEAST: f64 = 1e-4;
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    let axis = || (LEAST..1.0).log_scale();
    let mut chart = ChartBuilder::on(&root)
        .margin(12)
        .x_label_area_size(42)
        .y_label_area_size(74)
        .build_cartesian_2d(axis(), axis())?;
    chart
        .configure_mesh()
        .x_desc("probability told")
        .y_desc("share that came")
        .label_style(("sans-serif", 13))
        .axis_desc_style(("sans-serif", 14))
        .light_line_style(WHITE)
        .draw()?;
    chart.draw_series(LineSeries::new([(LEAST, LEAST), (1.0, 1.0)], COLOURS[7].stroke_width(1)))?;
    let points: Vec<(f64, f64)> = bins
        .iter()
        .filter(|bin| bin.told > LEAST && bin.came > LEAST)
        .map(|bin| (bin.told, bin.came))
        .collect();
    chart.draw_series(LineSeries::new(points.iter().copied(), COLOURS[0].stroke_width(2)))?;
    chart.draw_series(points.iter().map(|&point| Circle::new(point, 4, COLOURS[0].filled())))?;
    root.present()?;
    drop(chart);
    Ok(())
}

struct Line {
    name: String,
    /// A whole number, a length or a pass, and a value.
    points: Vec<(i32, f64)>,
}

/// The lines' names beside their colours, as they end from top to bottom.
fn legend(lines: &[Line]) -> Markup {
    let mut entries: Vec<_> = lines.iter().zip(COLOURS.into_iter().cycle()).collect();
    let end = |line: &Line| line.points.last().map_or(0.0, |(_, value)| *value);
    entries.sort_by(|(a, _), (b, _)| end(b).total_cmp(&end(a)));
    html! {
        ul.legend {
            @for (line, RGBColor(red, green, blue)) in entries {
                li { span style=(format!("background:rgb({red},{green},{blue})")) {} (line.name) }
            }
        }
    }
}

/// Lines as SVG.
fn plot(x: &str, y: &str, lines: &[Line]) -> Result<Markup, PageError> {
    let points = || lines.iter().flat_map(|line| &line.points).copied();
    let reach = |values: &mut dyn Iterator<Item = f64>| {
        values
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
    };
    let lengths = || points().map(|(x, _)| x);
    let (low, high) = reach(&mut points().map(|(_, y)| y));
    let (Some(left), Some(right)) = (lengths().min(), lengths().max()) else { return Ok(html! {}) };
    // Shares begin at 0; a loss far from it would lose its shape there.
    let low = if low < high / 3.0 { 0.0 } else { low - (high - low).max(high * 0.01) * 0.1 };
    let high = high + (high - low).max(1e-3) * 0.05;
    let mut svg = String::new();
    draw(&mut svg, [x, y], (left, right.max(left + 1)), (low, high), lines)
        .map_err(|error| PageError(error.to_string()))?;
    Ok(drawn(svg))
}

fn draw(
    svg: &mut String,
    [x, y]: [&str; 2],
    across: (i32, i32),
    up: (f64, f64),
    lines: &[Line],
) -> Result<(), Box<dyn std::error::Error>> {
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    let mut chart = ChartBuilder::on(&root)
        .margin(12)
        .x_label_area_size(42)
        .y_label_area_size(74)
        .build_cartesian_2d(across.0..across.1, up.0..up.1)?;
    chart
        .configure_mesh()
        .x_desc(x)
        .y_desc(y)
        .label_style(("sans-serif", 13))
        .axis_desc_style(("sans-serif", 14))
        .light_line_style(WHITE)
        .draw()?;
    for (line, colour) in lines.iter().zip(COLOURS.into_iter().cycle()) {
        let series = LineSeries::new(line.points.iter().copied(), colour.stroke_width(2));
        // A single pass is a point.
        let series = series.point_size(if line.points.len() == 1 { 4 } else { 0 });
        chart.draw_series(series)?;
    }
    root.present()?;
    drop(chart);
    Ok(())
}
