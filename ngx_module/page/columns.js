"use strict";

/*
 * The columns of the tables, and how their figures are written.
 */


/* Text. */

function number(n) {
    return n.toLocaleString("en-US", { maximumFractionDigits: 0 });
}


function short(n) {
    return n < 1e6 ? number(n)
           : n < 1e9 ? digits(n / 1e6) + " M" : digits(n / 1e9) + " G";
}


function digits(x) {
    return x >= 999.5 ? number(x)
           : x.toFixed(x < 9.995 ? 2 : x < 99.95 ? 1 : 0);
}


function duration(ms) {
    return typeof ms !== "number" ? "-"
           : ms < 999.5 ? digits(ms) + " ms" : digits(ms / 1000) + " s";
}


function span(s) {
    return s < 120 ? Math.round(s) + " s"
           : s < 7200 ? Math.floor(s / 60) + " min"
           : s < 172800 ? Math.floor(s / 3600) + " h"
           : Math.floor(s / 86400) + " d";
}


/* As many digits as tell a few errors from none, and most from all. */

function percent(part, whole) {
    if (whole === 0) {
        return "-";
    }

    if (part === 0 || part === whole) {
        return part === 0 ? "0 %" : "100 %";
    }

    const p = part / whole * 100;
    let text = p.toFixed(p < 1 ? 3 : p < 10 ? 2 : 1);

    for (let n = 2; n < 12 && (+text === 0 || +text === 100); n++) {
        text = p.toFixed(n);
    }

    return +text + " %";
}


function rate(n, seconds) {
    return seconds <= 0 ? "-"
           : (n === 0 ? "0" : n / seconds < 0.005 ? "<0.01"
              : digits(n / seconds)) + " /s";
}


/*
 * Columns: what a cell says, with a line below it; or, for a curve, the
 * figure of a part of the past, and how that is written.
 */

const TOTALS = [
    { head: "units", text: (r) => typeof r.units === "number"
                                  ? "~" + number(r.units) : "-" },
    { head: "requests", text: (r) => number(count(r.requests)) },
    { head: "errors", text: (r) => number(sum(r.errors)),
      below: (r) => share(sum(r.errors), r) },
    { head: "aborted", text: (r) => number(count(r.aborted)),
      below: (r) => share(count(r.aborted), r) },
    { head: "p50", text: (r) => duration((r.response_ms || {}).p50) },
    { head: "p95", text: (r) => duration((r.response_ms || {}).p95) },
    { head: "p99", text: (r) => duration((r.response_ms || {}).p99) },
    { head: "TTFT p95", text: (r) => duration((r.ttft_ms || {}).p95) },
    { head: "per token p95", text: (r) => duration((r.tpot_ms || {}).p95) },
    { head: "tokens in, out", text: (r) => tokens(r, "input"),
      below: (r) => sum(r.tokens) > 0 ? tokens(r, "output") : "" },
    { head: "cost", text: (r) => typeof r.cost === "number"
                                 ? money(r.cost) : "-",
      below: (r) => typeof r.cost === "number" ? r.currency || "" : "" }
];

const RECENT = [
    { head: "rate", text: (r, w) => rate(w.total.requests, w.seconds),
      below: (r, w) => "n " + number(w.total.requests) },
    { head: "p95", about: "p95 of response time", write: duration,
      figure: (part) => quantile(part.response_ms, 0.95) },
    { head: "TTFT p95", about: "p95 of time to first token", write: duration,
      figure: (part) => quantile(part.ttft_ms, 0.95) },
    { head: "error rate", about: "share of errors",
      write: (x, part) => part ? percent(part.errors, part.requests)
                               : percent(x, 1),
      figure: (part) => part.requests > 0 ? part.errors / part.requests
                                          : null }
];

const OTHERS = [
    { head: "5xx", text: (r) => number(count((r.errors || {})["5xx"])) },
    { head: "429", text: (r) => number(count((r.errors || {})["429"])) },
    { head: "stream", text: (r) => number(count((r.errors || {}).stream)) },
    { head: "bypassed", text: (r) => number(sum(r.bypassed)),
      below: (r) => causes(r.bypassed) },
    { head: "rejected", text: (r) => number(count(r.rejected)) },
    { head: "cached tokens", text: (r) => tokens(r, "cached") },
    { head: "written to cache", text: (r) => tokens(r, "cache_write") },
    { head: "reasoning", text: (r) => tokens(r, "reasoning") },
    { head: "no usage", text: (r) => number(count(r.no_usage)) },
    { head: "unmetered", text: (r) => number(count(r.unmetered)) },
    { head: "no price", text: (r) => number(count(r.no_price)) }
];


function share(n, row) {
    return count(row.requests) > 0 ? percent(n, row.requests) : "";
}


/* None were counted where none were told: a dash, not 0. */

function tokens(row, type) {
    return sum(row.tokens) > 0 ? short(count(row.tokens[type])) : "-";
}


function money(x) {
    return x === 0 ? "0" : x < 1 ? String(+x.toPrecision(3))
           : x.toLocaleString("en-US", { maximumFractionDigits: 2 });
}


function causes(bypassed) {
    return Object.entries(bypassed || {}).filter(([, n]) => count(n) > 0)
           .map(([cause, n]) => cause + " " + number(n)).join(", ");
}
