// Counts the ages of instants on, second by second, as the server wrote them.

const SIZES = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

function duration(seconds) {
    const [unit, size] = SIZES.find(([, one]) => seconds >= one) ?? SIZES.at(-1);
    return `${Math.floor(seconds / size)} ${unit}`;
}

function age(instant) {
    const seconds = (Date.now() - instant) / 1000;
    if (Math.abs(seconds) < 1) return "now";
    return seconds > 0 ? `${duration(seconds)} ago` : `in ${duration(-seconds)}`;
}

export function writeAges() {
    for (const time of document.querySelectorAll("main time[datetime]")) {
        const told = age(Date.parse(time.dateTime));
        if (time.textContent !== told) time.textContent = told;
    }
}

export function keepAges() {
    writeAges();
    setInterval(() => document.hidden || writeAges(), 1000);
}
