"use strict";

/*
 * Reads the counters of this location every two seconds, as JSON, and shows
 * them.  Text goes into the page as textContent alone.
 */

const PERIOD = 2000;            /* between two looks, ms */
const PATIENCE = 10000;         /* for an answer */


/* Elements. */

function make(tag, name, text) {
    const element = document.createElement(tag);

    if (name) {
        element.className = name;
    }

    if (text !== undefined) {
        element.textContent = text;
    }

    return element;
}


/* Leaves what is unchanged alone, so that it can be selected. */

function say(element, text) {
    if (element.textContent !== text) {
        element.textContent = text;
    }
}


function svg(tag, attributes) {
    const element = document.createElementNS("http://www.w3.org/2000/svg",
                                             tag);

    for (const [name, value] of Object.entries(attributes)) {
        element.setAttribute(name, value);
    }

    return element;
}


const WIDTH = 92;
const HEIGHT = 26;


/* values: a figure or null a slot; top: the end of the scale. */

function curve(values, top, label) {
    const picture = svg("svg", { viewBox: "0 0 " + WIDTH + " " + HEIGHT,
                                 role: "img", "aria-label": label });
    const x = (i) => (i / (SLOTS - 1) * (WIDTH - 4) + 2).toFixed(1);
    const y = (v) => (HEIGHT - 2 - (top > 0 ? v / top : 0) * (HEIGHT - 4))
                     .toFixed(1);

    picture.append(svg("line", { class: "floor", x1: 0, x2: WIDTH,
                                 y1: HEIGHT - 0.5, y2: HEIGHT - 0.5 }));

    let path = "";

    values.forEach((value, i) => {
        if (value === null) {
            return;
        }

        const after = i > 0 && values[i - 1] !== null;

        path += (after ? "L" : "M") + x(i) + " " + y(value);

        if (!after && (i === SLOTS - 1 || values[i + 1] === null)) {
            picture.append(svg("circle", { class: "dot", r: 1.5, cx: x(i),
                                           cy: y(value) }));
        }
    });

    if (path !== "") {
        picture.append(svg("path", { class: "line", d: path }));
    }

    return picture;
}


/* A table whose roles hold when it is laid out as cards. */

function makeTable(caption, groups) {
    const table = make("table");
    const head = make("thead");
    const names = make("tr");
    const tops = make("tr");

    table.setAttribute("role", "table");
    table.setAttribute("aria-label", caption);

    if (groups.length > 1) {
        tops.append(make("td"));

        for (const group of groups) {
            const top = make("th", "group part", group.name);

            top.colSpan = group.columns.length;
            top.scope = "colgroup";
            tops.append(top);
            group.top = top;
        }

        head.append(tops);
    }

    names.append(make("th", "", "variant"));

    for (const group of groups) {
        group.columns.forEach((column, i) => {
            const name = make("th", i === 0 ? "part" : "", column.head);

            name.scope = "col";
            names.append(name);
        });
    }

    head.append(names);

    const body = make("tbody");

    body.setAttribute("role", "rowgroup");
    table.append(head, body);

    /* a longer name than there is room for scrolls, by key as well */

    const wide = make("div", "wide");

    wide.tabIndex = 0;
    wide.setAttribute("role", "region");
    wide.setAttribute("aria-label", caption);
    wide.append(table);

    return { wide: wide, body: body, groups: groups, lines: new Map() };
}


function makeLine(view, key) {
    const line = { tr: make("tr"), head: make("th"), cells: [] };

    line.tr.setAttribute("role", "row");
    line.head.scope = "row";
    line.head.setAttribute("role", "rowheader");
    line.name = make("span");
    line.more = make("small");
    line.head.append(line.name, line.more);
    line.tr.append(line.head);

    for (const group of view.groups) {
        group.columns.forEach((column, i) => {
            const cell = { column: column,
                           td: make("td", i === 0 ? "part" : ""),
                           picture: null, text: make("span"),
                           below: make("small") };

            cell.td.setAttribute("role", "cell");
            cell.td.dataset.head = group.mark + column.head;
            cell.td.append(cell.text, cell.below);
            line.tr.append(cell.td);
            line.cells.push(cell);
        });
    }

    view.lines.set(key, line);
    view.body.append(line.tr);

    return line;
}


/* The points of a curve in every row, and the greatest of them. */

function curves(column, windows) {
    const all = windows.map((w) => w.points.map(
        (part) => part === null ? null : column.figure(part)));

    return { all: all, top: Math.max(0, ...all.flat().filter(
        (v) => v !== null)) };
}


function drawCell(cell, row, past, points, top) {
    const column = cell.column;

    if (!column.figure) {
        say(cell.text, column.text(row, past));
        say(cell.below, column.below ? column.below(row, past) : "");
        return;
    }

    const figure = past.total.requests > 0 ? column.figure(past.total) : null;
    const text = figure === null ? "-" : column.write(figure, past.total);
    const picture = curve(points, top, column.about + " in the window, "
                          + text + "; scale from 0 to "
                          + (top > 0 ? column.write(top) : "0"));

    if (cell.picture) {
        cell.picture.replaceWith(picture);

    } else {
        cell.td.prepend(picture);
    }

    cell.picture = picture;
    say(cell.text, text);
    say(cell.below, figure !== null && top > 0
                    ? "scale to " + column.write(top) : "");
}


function drawTable(view, list, now) {
    const windows = list.map((item) => windowOf(item.key, now));
    const drawn = new Map();

    for (const column of view.groups.flatMap((group) => group.columns)) {
        if (column.figure) {
            drawn.set(column, curves(column, windows));
        }
    }

    const keys = new Set(list.map((item) => item.key));

    for (const [key, line] of view.lines) {
        if (!keys.has(key)) {
            line.tr.remove();
            view.lines.delete(key);
        }
    }

    list.forEach((item, i) => {
        const line = view.lines.get(item.key) || makeLine(view, item.key);

        say(line.name, item.row.variant);
        say(line.more, item.note);

        for (const cell of line.cells) {
            const lines = drawn.get(cell.column);

            drawCell(cell, item.row, windows[i], lines && lines.all[i],
                     lines && lines.top);
        }

        if (view.body.children[i] !== line.tr) {
            view.body.insertBefore(line.tr, view.body.children[i] || null);
        }
    });
}


/* Experiments. */

const views = new Map();


function makeExperiment(name) {
    const view = { section: make("section", "experiment"),
                   name: make("h2", "", name), about: make("p", "about"),
                   leftOut: make("p", "left-out"),
                   main: makeTable(name, [
                       { name: "since the counters began", mark: "",
                         columns: TOTALS },
                       { name: "in the last seconds", mark: "now: ",
                         columns: RECENT }]),
                   more: makeTable(name + ", other counts", [
                       { name: "", mark: "", columns: OTHERS }]) };
    const details = make("details");

    details.append(make("summary", "", "Other counts"), view.more.wide);
    view.section.append(view.name, view.about, view.main.wide, view.leftOut,
                        details);

    return view;
}


/*
 * The rows of the phase, variants in the order of the document; a variant
 * that nobody got yet has one, too.  Arms are never added across phases.
 */

function armsOf(experiment, phase) {
    const order = experiment.variants || [];
    const all = (experiment.rows || []).filter(
        (row) => row.phase === phase && row.variant[0] !== "_");
    const steps = all.some((row) => row.step !== "default");
    const place = (row) => (order.indexOf(row.variant) + order.length + 1)
                           % (order.length + 1);

    for (const name of order) {
        if (!all.some((row) => row.variant === name)) {
            all.push({ phase: phase, variant: name, step: "default" });
        }
    }

    all.sort((a, b) => place(a) - place(b));

    return all.map((row) => ({
        row: row,
        key: rowKey(experiment, row),
        note: [steps ? row.step : "",
               row.variant === experiment.baseline ? "baseline" : ""]
              .filter((word) => word !== "").join(", ")
    }));
}


/* Requests that got the baseline for a reason, and those of other phases. */

function leftOut(experiment, phase) {
    const reasons = new Map();
    const phases = new Map();

    for (const row of experiment.rows || []) {
        const map = row.phase !== phase ? phases : reasons;
        const key = row.phase !== phase ? "other phases"
                    : row.variant[0] === "_" ? row.variant.slice(1) : null;

        if (key !== null) {
            map.set(key, (map.get(key) || 0) + count(row.requests));
        }
    }

    const list = [...reasons, ...phases].filter(([, n]) => n > 0)
                 .map(([key, n]) => key + " " + number(n));

    return list.length > 0 ? "left out, requests: " + list.join(", ") : "";
}


function aboutOf(experiment, phase) {
    const exposure = experiment.exposure;

    return [
        experiment.stage || "off",
        typeof exposure === "number" ? "exposure " + percent(exposure, 1)
                                     : "",
        phase > 0 ? "phase " + phase : "",
        experiment.revision ? "revision " + experiment.revision : "",
        experiment.layer ? "layer " + experiment.layer : "",
        count(experiment.feedback) > 0
            ? "feedback " + number(experiment.feedback) : ""
    ].filter((word) => word !== "").join(", ");
}


function drawExperiment(view, experiment, now) {
    const phase = experiment.phase !== undefined ? experiment.phase
        : Math.max(0, ...(experiment.rows || []).map((row) => row.phase));
    const arms = armsOf(experiment, phase);

    say(view.about, aboutOf(experiment, phase)
        + (experiment.error ? ". Error: its document cannot be used, all "
                              + "get the baseline; see nginx's error log."
                            : ""));
    view.about.classList.toggle("bad", Boolean(experiment.error));

    const left = leftOut(experiment, phase);

    say(view.leftOut, left);
    view.leftOut.hidden = left === "";

    say(view.main.groups[1].top,
        "in the last " + (watched() > 0 ? span(watched()) : "seconds"));
    drawTable(view.main, arms, now);
    drawTable(view.more, arms, now);
}


function drawExperiments(status, now) {
    const root = document.getElementById("experiments");
    const names = new Set();

    for (const experiment of status.experiments || []) {
        const name = String(experiment.name);

        names.add(name);

        if (!views.has(name)) {
            views.set(name, makeExperiment(name));
        }

        const view = views.get(name);

        drawExperiment(view, experiment, now);

        if (root.children[names.size - 1] !== view.section) {
            root.insertBefore(view.section,
                              root.children[names.size - 1] || null);
        }
    }

    for (const [name, view] of views) {
        if (!names.has(name)) {
            view.section.remove();
            views.delete(name);
        }
    }

    note(root, names.size === 0 ? "No experiment is live, and none has "
                                  + "counts."
               : status.more > 0 ? "and " + number(status.more) + " more that "
                                   + "are live"
               : "");
}


function note(root, text) {
    const last = root.lastElementChild;
    const old = last && last.classList.contains("note") ? last : null;

    if (old) {
        old.remove();
    }

    if (text !== "") {
        root.append(make("p", "about note", text));
    }
}


/* What is above the experiments. */

const facts = new Map();


function fact(name, text, bad) {
    if (!facts.has(name)) {
        const term = make("dt", "", name);
        const value = make("dd");
        const pair = make("div");

        pair.append(term, value);
        document.getElementById("facts").append(pair);
        facts.set(name, value);
    }

    say(facts.get(name), (bad ? "warn: " : "") + text);
    facts.get(name).classList.toggle("bad", Boolean(bad));
}


function drawFacts(status) {
    const registry = status.registry || {};
    const zone = status.zone || {};

    fact("Registry", registry.transaction === undefined
         ? "not loaded" : "transaction " + registry.transaction,
         registry.loaded === false);
    fact("Published", typeof registry.age_s === "number"
         ? span(registry.age_s) + " ago" : "-");
    fact("History head", registry.head || "-");
    fact("Snapshot errors", number(count(status.snapshot_errors)),
         status.snapshot_errors > 0);
    fact("Rows in use", number(count(zone.rows)) + " of "
         + number(count(zone.rows_max)));
    fact("Blocks in use", number(count(zone.blocks)) + " of "
         + number(count(zone.blocks_max)));
    fact("Not counted, zone full", number(count(zone.dropped)),
         zone.dropped > 0);
    fact("Feedback refused", number(count(status.feedback_refused)));
}


function utc(time) {
    return String(time || "-").replace("T", " ").replace(/(\.\d+)?Z$/, " UTC");
}


function draw(status, now) {
    say(document.getElementById("where"), String(status.worker || "-") + ", "
        + utc(status.now) + "; counters since " + utc(status.started));

    if (watched() > 0) {
        say(document.getElementById("window"),
            "the last " + span(watched()) + " that were watched");
    }

    drawFacts(status);
    drawExperiments(status, now);
}


/* The loop. */

let timer = null;
let busy = false;
let shown = "";                 /* the time of what the page shows */


function trouble(text) {
    const element = document.getElementById("trouble");

    say(element, text);
    element.hidden = text === "";
    document.title = (text !== "" ? "(!) " : "") + "Experiment status";
}


async function ask() {
    const stop = new AbortController();
    const limit = setTimeout(() => stop.abort(), PATIENCE);

    try {
        const answer = await fetch(location.pathname + "?json",
            { cache: "no-store", signal: stop.signal,
              headers: { Accept: "application/json" } });

        if (!answer.ok) {
            throw new Error("the answer is " + answer.status);
        }

        const status = await answer.json();

        if (status === null || !Array.isArray(status.experiments)) {
            throw new Error("the answer is not that of experiment_status");
        }

        return status;

    } catch (error) {
        throw error.name === "AbortError"
              ? new Error("no answer within " + PATIENCE / 1000 + " s")
              : error;

    } finally {
        clearTimeout(limit);
    }
}


async function look() {
    timer = null;

    if (busy || document.hidden) {
        return;
    }

    busy = true;

    try {
        const status = await ask();
        const now = performance.now() / 1000;

        remember(status, now);
        draw(status, now);
        shown = utc(status.now);
        trouble("");

    } catch (error) {
        trouble("No news: " + error.message + ". "
                + (shown !== "" ? "What is below is of " + shown + ". " : "")
                + "The next try is in " + PERIOD / 1000 + " s.");
    }

    busy = false;

    if (timer === null) {
        timer = setTimeout(look, PERIOD);
    }
}


document.addEventListener("visibilitychange", () => {
    if (!document.hidden && timer === null) {
        look();
    }
});

look();
