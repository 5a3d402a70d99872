// Goes on telling how far a job is, on its page in the admin, and shows the result when it has ended.

const EVERY_MS = 1000;
const HIDDEN_MS = 15000;
const MOST_MS = 30000;

const box = document.getElementById("job-progress");
const part = Object.fromEntries(
  ["state", "stage", "done", "rate", "left", "bar", "told", "trouble", "reload"].map((name) => [name, document.getElementById(`job-${name}`)]),
);
const language = document.documentElement.lang || undefined;
const number = new Intl.NumberFormat(language, { maximumSignificantDigits: 3 });
const whole = new Intl.NumberFormat(language);

let begun = null; // Where this stage was when it was first seen: {stage, done, at}.
let announced = "";
let failures = 0;
let timer = 0;

function seconds(value) {
  const [unit, size] = value < 90 ? ["second", 1] : value < 5400 ? ["minute", 60] : ["hour", 3600];
  return new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "long" }).format(Math.ceil(value / size));
}

/** A screen reader is told a new stage and every tenth of it, not every second. */
function announce(job, share) {
  const step = share === null ? "" : ` ${Math.floor(share * 10) * 10}%`;
  const text = `${job.stage || job.state}${step}`;
  if (text !== announced) {
    announced = text;
    part.told.textContent = text;
  }
}

function show(job) {
  const now = performance.now() / 1000;
  if (begun === null || begun.stage !== job.stage || job.done < begun.done) {
    begun = { stage: job.stage, done: job.done, at: now };
  }
  const rate = now > begun.at ? (job.done - begun.done) / (now - begun.at) : 0;
  const share = job.total ? Math.min(job.done / job.total, 1) : null;
  part.state.textContent = job.state;
  part.stage.textContent = job.stage || "–";
  part.done.textContent = job.total ? `${whole.format(job.done)} / ${whole.format(job.total)}` : whole.format(job.done);
  part.rate.textContent = rate > 0 ? box.dataset.rate.replace("{number}", number.format(rate)) : "–";
  part.left.textContent = rate > 0 && job.total > job.done ? seconds((job.total - job.done) / rate) : "–";
  if (share === null) {
    part.bar.removeAttribute("value");
  } else {
    part.bar.max = job.total;
    part.bar.value = Math.min(job.done, job.total);
  }
  announce(job, share);
}

async function ask() {
  clearTimeout(timer);
  try {
    const answer = await fetch(box.dataset.address, { headers: { Accept: "application/json" }, redirect: "error" });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const job = await answer.json();
    failures = 0;
    part.trouble.hidden = true;
    show(job);
    if (job.ended) {
      part.told.textContent = box.dataset.ended;
      location.reload();
      return;
    }
  } catch {
    failures += 1;
    part.trouble.textContent = box.dataset.away;
    part.trouble.hidden = false;
  }
  const pause = document.hidden ? HIDDEN_MS : Math.min(EVERY_MS * 2 ** failures, MOST_MS);
  timer = setTimeout(ask, pause);
}

if (box) {
  part.reload.hidden = true;
  document.addEventListener("visibilitychange", () => document.hidden || ask());
  ask();
}
