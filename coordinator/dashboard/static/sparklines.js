// Draws curves of the last two minutes from the figures in the page: those in data-value as they are, those in
// data-total as what they grow by in a second. They outlast the way to another page and back.

const KEPT = 120;
const APART = 900; // milliseconds: no more than one point for each look of a second
const STORE = `sparklines ${document.body.dataset.base}`;

let series = read();

function read() {
    try {
        const found = JSON.parse(sessionStorage.getItem(STORE)) ?? {};
        const oldest = Date.now() - 1000 * KEPT;
        for (const name of Object.keys(found)) found[name] = found[name].filter(([at]) => at > oldest);
        return found;
    } catch {
        return {};
    }
}

function note(name, value) {
    const points = (series[name] ??= []);
    const last = points.at(-1);
    if (last && Date.now() - last[0] < APART) return;
    if (last && value < last[1] && name.startsWith("total ")) points.length = 0; // another ledger
    points.push([Date.now(), value]);
    if (points.length > KEPT) points.shift();
}

function rates(points) {
    return points.slice(1).map(([at, total], place) => {
        const [before, less] = points[place];
        return (1000 * (total - less)) / Math.max(1, at - before);
    });
}

function path(values) {
    const top = Math.max(...values, 1e-9);
    const step = 120 / (KEPT - 1);
    const from = 120 - step * (values.length - 1);
    return values
        .map((value, place) => `${place ? "L" : "M"}${(from + place * step).toFixed(1)} ${(31 - (29 * value) / top).toFixed(1)}`)
        .join("");
}

function draw(spark, values) {
    const line = values.length > 1 ? path(values) : "";
    const from = 120 - (120 / (KEPT - 1)) * (values.length - 1);
    spark.querySelector(".line").setAttribute("d", line);
    spark.querySelector(".area").setAttribute("d", line && `${line}L120 32L${from.toFixed(1)} 32Z`);
}

function figure(rate) {
    return rate >= 100 ? rate.toFixed(0) : rate >= 10 ? rate.toFixed(1) : rate.toFixed(rate ? 2 : 0);
}

export function drawSparklines() {
    const sparks = document.querySelectorAll("svg[data-series]");
    for (const spark of sparks) {
        const { series: name, total, value } = spark.dataset;
        const counted = total !== undefined;
        const key = counted ? `total ${name}` : name;
        note(key, Number(counted ? total : value));
        const values = counted ? rates(series[key]) : series[key].map(([, one]) => one);
        draw(spark, values);
        const told = document.querySelector(`[data-rate="${name}"]`);
        if (counted && told && values.length) {
            const lately = values.slice(-5);
            told.textContent = figure(lately.reduce((sum, one) => sum + one, 0) / lately.length);
        }
    }
    if (sparks.length) sessionStorage.setItem(STORE, JSON.stringify(series));
}
