// Shows what a task says while it works, as it says it; and once more from a stream of its own, where it has
// ended before the page was opened.

const main = document.getElementById("main");
let run = null;
let next = 1;

function text(chunk) {
    return typeof chunk === "string" ? chunk : `${JSON.stringify(chunk)}\n`;
}

function take(kind, told) {
    const panel = document.getElementById("output");
    const shown = document.getElementById("output-text");
    if (!panel || !shown) return;
    if (told.run !== run) {
        run = told.run;
        next = 1;
        shown.textContent = "";
    }
    if (kind === "output.missing") {
        shown.append(" … ");
        next = (told.last ?? told.first) + 1;
    }
    if (kind !== "output.chunks") return;
    const fresh = told.chunks.slice(Math.max(0, next - told.first));
    next = Math.max(next, told.first + told.chunks.length);
    if (!fresh.length) return;
    panel.hidden = false;
    const atEnd = shown.scrollTop + shown.clientHeight >= shown.scrollHeight - 8;
    shown.append(fresh.map(text).join(""));
    if (atEnd) shown.scrollTop = shown.scrollHeight;
}

export function followOutput() {
    main.addEventListener("output", (event) => take(event.detail.kind, event.detail.data));
    if (!main.dataset.output) return;
    const source = new EventSource(main.dataset.output);
    for (const kind of ["output.started", "output.chunks", "output.missing", "output.ended"]) {
        source.addEventListener(kind, (event) => take(kind, JSON.parse(event.data)));
    }
    source.addEventListener("ended", () => source.close());
    source.addEventListener("error", () => source.close());
}
