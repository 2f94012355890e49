// Opens and closes dialogs, and sends forms without leaving the page: what was done is told in a corner.

import { refresh } from "./live.js";

const notices = document.getElementById("notices");
const SHOWN = 8000;

function tell(sentence, bad) {
    const notice = document.createElement("div");
    notice.className = bad ? "notice bad" : "notice";
    const told = document.createElement("p");
    told.textContent = sentence;
    notice.append(told);
    notices.append(notice);
    while (notices.children.length > 4) notices.firstChild.remove();
    setTimeout(() => notice.remove(), bad ? 3 * SHOWN : SHOWN);
}

// The forms that wait for an answer. Their buttons are disabled, until the page is shown anew meanwhile.
const sending = new WeakSet();

async function send(form, button) {
    if (sending.has(form)) return;
    sending.add(form);
    const fields = new URLSearchParams(new FormData(form, button));
    const buttons = [...form.querySelectorAll("button:enabled")];
    for (const one of buttons) one.disabled = true;
    try {
        const answer = await fetch(form.action, { method: "POST", body: fields, headers: { "X-Dashboard-Part": "notice" } });
        if (answer.status === 401) {
            location.assign(answer.headers.get("X-Dashboard-Location"));
            return;
        }
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        tell((page.querySelector(".notice") ?? page.body).textContent.trim(), !answer.ok);
        if (answer.ok) {
            form.closest("dialog")?.close();
            if (!form.closest("dialog")) form.reset();
        }
    } catch {
        tell("The dashboard does not answer: nothing is known of what was done.", true);
    } finally {
        sending.delete(form);
        for (const one of buttons) one.disabled = false;
    }
    await refresh();
}

function clicked(event) {
    const opener = event.target.closest("[data-opens]");
    if (opener) document.getElementById(opener.dataset.opens)?.showModal();
    if (event.target.closest("[data-closes]")) event.target.closest("dialog").close();
    if (event.target.nodeName === "DIALOG") event.target.close(); // beside what is in it
    const all = event.target.closest("[data-selects]");
    if (all) {
        for (const one of all.form.querySelectorAll(`[name="${all.dataset.selects}"]`)) one.checked = all.checked;
    }
}

export function listenForForms() {
    document.addEventListener("click", clicked);
    document.addEventListener("submit", (event) => {
        const form = event.target;
        const posts = form.method === "post" && form.action.includes("/do/");
        if (!posts) return;
        event.preventDefault();
        send(form, event.submitter);
    });
}
