"use strict";

/*
 * The counters only ever grow: what happened in the last minutes is the
 * difference of two looks at them, which is kept here and nowhere else.
 */

const SLOT = 10;                /* a point of a curve, s */
const SLOTS = 30;               /* 5 minutes of them */
const GAP = 15;                 /* s without a look: a hole in the curves */

/* The bins of include/nxe/hist.h, here in ms. */

const GROWTH = 1.01 / 0.99;
const BINS = 870;
const LOWEST = 0.1;

const TIMES = ["response_ms", "ttft_ms", "tpot_ms"];


/* Figures. */

function count(value) {
    return typeof value === "number" && value >= 0 && isFinite(value)
           ? value : 0;
}


function sum(object) {
    return Object.values(object || {}).reduce((n, v) => n + count(v), 0);
}


/* The value within 1 % of that of order p; bins is a Map. */

function quantile(bins, p) {
    let n = 0;
    let seen = 0;

    for (const k of bins.values()) {
        n += k;
    }

    const rank = Math.ceil(p * n * (1 - 1e-12));

    for (const i of [...bins.keys()].sort((a, b) => a - b)) {
        seen += bins.get(i);

        if (seen >= rank) {
            return 2 * LOWEST * Math.pow(GROWTH, i + 1) / (1 + GROWTH);
        }
    }

    return null;
}


function binsOf(times) {
    const bins = new Map();

    for (const [i, n] of Object.entries(times && times.bins || {})) {
        if (+i >= 0 && +i < BINS && count(n) > 0) {
            bins.set(+i, n);
        }
    }

    return bins;
}


/* The history of the rows. */

let clock = null;               /* of the last look, s */
let source = "";                /* whose counters these are */
let rows = new Map();
let slots = new Map();          /* slot -> seconds that were looked at */


function rowKey(experiment, row) {
    return JSON.stringify([experiment.name, row.phase, row.variant,
                           row.step]);
}


function taken(row) {
    const state = { requests: count(row.requests), errors: sum(row.errors) };

    for (const name of TIMES) {
        state[name] = binsOf(row[name]);
    }

    return state;
}


function difference(now, before) {
    const diff = {};

    for (const name of ["requests", "errors"]) {
        diff[name] = now[name] - before[name];

        if (diff[name] < 0) {
            return null;
        }
    }

    for (const name of TIMES) {
        diff[name] = new Map();

        for (const [i, n] of now[name]) {
            const more = n - (before[name].get(i) || 0);

            if (more < 0) {
                return null;
            }

            if (more > 0) {
                diff[name].set(i, more);
            }
        }
    }

    return diff;
}


function add(to, from) {
    to.requests += from.requests;
    to.errors += from.errors;

    for (const name of TIMES) {
        for (const [i, n] of from[name]) {
            to[name].set(i, (to[name].get(i) || 0) + n);
        }
    }
}


/*
 * Takes one answer in.  A zone that was made anew begins a new history, and
 * after a pause nobody can say when in it things happened: that is a hole.
 */

function remember(status, now) {
    const from = String(status.worker || "").split("/")[0] + " "
                 + status.started;

    if (from !== source) {
        source = from;
        rows = new Map();
        slots = new Map();
        clock = null;
    }

    const seconds = clock === null ? Infinity : now - clock;
    const slot = Math.floor(now / SLOT);
    const seen = new Map();

    for (const experiment of status.experiments || []) {
        for (const row of experiment.rows || []) {
            const key = rowKey(experiment, row);
            const was = rows.get(key);
            const state = taken(row);
            const past = was ? was.past : new Map();

            if (seconds <= GAP) {
                const diff = difference(state, was ? was.state : taken({}));

                if (diff) {
                    if (!past.has(slot)) {
                        past.set(slot, taken({}));
                    }

                    add(past.get(slot), diff);
                }
            }

            forget(past, slot);
            seen.set(key, { state: state, past: past });
        }
    }

    if (seconds <= GAP) {
        slots.set(slot, (slots.get(slot) || 0) + seconds);
    }

    forget(slots, slot);
    rows = seen;
    clock = now;
}


function forget(map, slot) {
    for (const at of map.keys()) {
        if (at <= slot - SLOTS) {
            map.delete(at);
        }
    }
}


/* The seconds of the window. */

function watched() {
    return [...slots.values()].reduce((a, b) => a + b, 0);
}


/* What a row did in the window, and its points, one a slot. */

function windowOf(key, now) {
    const total = taken({});
    const points = [];
    const row = rows.get(key);
    const last = Math.floor(now / SLOT);

    for (let at = last - SLOTS + 1; at <= last; at++) {
        const part = row && row.past.get(at);

        if (part) {
            add(total, part);
        }

        points.push(part && part.requests > 0 ? part : null);
    }

    return { total: total, points: points, seconds: watched() };
}
