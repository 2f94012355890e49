// Makes one tree of the page like another that came from the server, and leaves alone what is alike already,
// what a person is at (a field, an open dialog, an open fold) and what a script draws (data-keep).

const keyOf = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.id : "");

const alike = (one, other) => one.nodeName === other.nodeName && keyOf(one) === keyOf(other);

function isTouched(field) {
    if (field === document.activeElement) return true;
    if (field.type === "checkbox") return field.checked !== field.defaultChecked;
    return field.value !== field.defaultValue && field.nodeName !== "SELECT" && field.type !== "hidden";
}

function morphAttributes(old, fresh, { figuresAlone = false } = {}) {
    for (const { name, value } of fresh.attributes) {
        if (figuresAlone && !name.startsWith("data-")) continue;
        if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    if (figuresAlone) return;
    for (const { name } of [...old.attributes]) {
        const person = name === "open" || name === "tabindex";
        const ours = name === "class" && old.classList.contains("chosen");
        if (!fresh.hasAttribute(name) && !person && !ours) old.removeAttribute(name);
    }
}

function morphElement(old, fresh) {
    if (old.hasAttribute("data-keep")) return morphAttributes(old, fresh, { figuresAlone: true });
    if (old.nodeName === "DIALOG" && old.open) return;
    if (old.matches("input, textarea, select") && isTouched(old)) return;
    const open = old.nodeName === "DETAILS" ? old.open : null;
    const chosen = old.classList.contains("chosen");
    morphAttributes(old, fresh);
    if (open !== null) old.open = open;
    if (chosen) old.classList.add("chosen");
    if (old.nodeName === "TEXTAREA") {
        if (old.defaultValue !== fresh.defaultValue) old.defaultValue = fresh.defaultValue;
        return;
    }
    morphChildren(old, fresh);
}

const after = (node, gone) => {
    const next = node.nextSibling;
    if (gone && !(node.nodeName === "DIALOG" && node.open)) node.remove();
    return next;
};

// The next node without an id that is of the same kind; what has an id is waited for by its own.
function findAlike(from, wanted) {
    if (wanted.nodeType !== Node.ELEMENT_NODE) return from && alike(from, wanted) ? from : null;
    for (let node = from; node && !keyOf(node); node = node.nextSibling) if (alike(node, wanted)) return node;
    return null;
}

export function morphChildren(old, fresh) {
    const byKey = new Map();
    for (const child of old.children) if (child.id) byKey.set(child.id, child);
    let at = old.firstChild;
    for (const wanted of [...fresh.childNodes]) {
        const key = keyOf(wanted);
        const match = key ? byKey.get(key) : findAlike(at, wanted);
        if (!match || !alike(match, wanted)) {
            old.insertBefore(document.importNode(wanted, true), at);
            continue;
        }
        // What stands before it and has no id is not wanted any more: so nothing is moved, which would close a
        // dialog, unless the order of what has ids has changed.
        while (at && at !== match && !keyOf(at)) at = after(at, true);
        if (match === at) at = after(at, false);
        else old.insertBefore(match, at);
        if (match.nodeType === Node.ELEMENT_NODE) {
            if (!match.isEqualNode(wanted)) morphElement(match, wanted);
        } else if (match.nodeValue !== wanted.nodeValue) {
            match.nodeValue = wanted.nodeValue;
        }
    }
    while (at) at = after(at, true);
}
