// Keeps the page as things are: listens for changes, asks for the middle of the page anew, and puts in what
// differs. A page that nobody sees listens to nothing.

import { writeAges } from "./ages.js";
import { morphChildren } from "./morph.js";
import { drawSparklines } from "./sparklines.js";

const main = document.getElementById("main");
const sign = document.getElementById("live");
const LEAST_PAUSE = 200; // milliseconds between two looks
const SLOW = 3000; // a pause that a person is told of
const WITHOUT_STREAM = 2000;

let source = null;
let timer = null;
let looking = false;
let again = false;
let lookedAt = 0;
let pause = LEAST_PAUSE; // from the end of a look to the next

function say(word, kind = "") {
    if (!sign) return;
    sign.className = `live ${kind}`.trim();
    sign.querySelector(".word").textContent = word;
}

export async function refresh() {
    if (looking) {
        again = true;
        return;
    }
    looking = true;
    const began = performance.now();
    let made = 0;
    let shown = false;
    try {
        const answer = await fetch(location.href, { headers: { "X-Dashboard-Part": "main" } });
        if (answer.status === 401) {
            location.assign(answer.headers.get("X-Dashboard-Location"));
            return;
        }
        made = millisecondsIn(answer.headers.get("Server-Timing"));
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
        if (answer.ok || answer.status === 404) {
            morphChildren(main, fresh.body);
            writeAges();
            drawSparklines();
            main.dispatchEvent(new CustomEvent("refreshed"));
            shown = true;
        } else {
            say("Not answered", "lost");
        }
    } catch {
        say("Not connected", "lost");
    } finally {
        lookedAt = performance.now();
        // What costs more is asked for less often: a look takes at most a third of the time here, and a tenth
        // where the page is made, however much there is to look at.
        pause = Math.max(LEAST_PAUSE, 2 * (lookedAt - began), 9 * made);
        if (shown) say(pause < SLOW ? "Live" : `Live, each ${Math.round(pause / 1000)} s`);
        looking = false;
        if (again) {
            again = false;
            refreshSoon();
        }
    }
}

function millisecondsIn(timing) {
    return Number(/dur=([\d.]+)/.exec(timing ?? "")?.[1] ?? 0);
}

let soon = null;
function refreshSoon() {
    if (soon !== null) return;
    soon = setTimeout(() => {
        soon = null;
        refresh();
    }, Math.max(0, lookedAt + pause - performance.now()));
}

function listen() {
    if (!main.dataset.live || source !== null) return;
    source = new EventSource(main.dataset.live);
    let opened = false;
    source.addEventListener("open", () => {
        if (opened) refreshSoon(); // something may have happened while it was not open
        opened = true;
    });
    source.addEventListener("changed", refreshSoon);
    source.addEventListener("ended", () => {
        refreshSoon();
        stopListening();
    });
    for (const kind of ["output.started", "output.chunks", "output.missing", "output.ended"]) {
        source.addEventListener(kind, (event) =>
            main.dispatchEvent(new CustomEvent("output", { detail: { kind, data: JSON.parse(event.data) } })));
    }
    source.addEventListener("error", () => {
        if (source?.readyState !== EventSource.CLOSED) return;
        source = null; // refused: look by the clock, and ask for a stream again later
        setTimeout(() => document.hidden || listen(), 15_000);
    });
}

function stopListening() {
    source?.close();
    source = null;
}

function tick() {
    const every = main.dataset.every ? 1000 * Number(main.dataset.every) : WITHOUT_STREAM;
    if (main.dataset.every || (main.dataset.live && source === null)) refreshSoon();
    timer = setTimeout(tick, every);
}

export function keepLive() {
    if (!main.dataset.live && !main.dataset.every) {
        if (sign) sign.hidden = true;
        return;
    }
    document.addEventListener("visibilitychange", () => (document.hidden ? rest() : wake()));
    addEventListener("pagehide", rest);
    if (!document.hidden) wake();
}

function wake() {
    if (timer !== null) return;
    say("Live");
    listen();
    timer = setTimeout(tick, main.dataset.every ? 1000 * Number(main.dataset.every) : WITHOUT_STREAM);
}

function rest() {
    stopListening();
    clearTimeout(timer);
    timer = null;
    say("Paused", "paused");
}
