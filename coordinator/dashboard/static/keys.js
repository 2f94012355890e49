// Takes keys: g and a letter go to a page, j and k along the rows, Enter opens one, / goes to the filters.

const typing = (where) => where.matches?.("input, textarea, select, [contenteditable]");
const rows = () => [...document.querySelectorAll("table.rows tbody tr")];

let going = false;

function move(by) {
    const all = rows();
    if (!all.length) return;
    const now = all.findIndex((row) => row.classList.contains("chosen"));
    const next = Math.min(all.length - 1, Math.max(0, now < 0 ? 0 : now + by));
    for (const row of all) row.classList.remove("chosen");
    all[next].classList.add("chosen");
    all[next].querySelector("a")?.focus({ preventScroll: true });
    all[next].scrollIntoView({ block: "nearest" });
}

function pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    if (document.querySelector("dialog[open]")) return;
    if (going) {
        going = false;
        const link = document.querySelector(`[data-key-to="${CSS.escape(event.key)}"]`);
        if (link) location.assign(link.href);
        return;
    }
    if (event.key === "g") going = true;
    else if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else if (event.key === "?") document.getElementById("keys-help").showModal();
    else if (event.key === "/") {
        const first = document.querySelector("[data-first]");
        if (!first) return;
        event.preventDefault();
        first.focus();
    }
}

export function listenForKeys() {
    document.addEventListener("keydown", pressed);
}
