// Polls the progress of a job on its page in the admin, and shows the result when it has ended.

const POLL_MS = 1000;
const HIDDEN_POLL_MS = 15000;
const MAX_POLL_MS = 30000;

const box = document.getElementById("job-progress");
const part = Object.fromEntries(
  ["state", "stage", "done", "rate", "left", "bar", "announcement", "error", "reload"].map((name) => [name, document.getElementById(`job-${name}`)]),
);
const language = document.documentElement.lang || undefined;
const number = new Intl.NumberFormat(language, { maximumSignificantDigits: 3 });
const whole = new Intl.NumberFormat(language);

let stageStart = null; // The progress of this stage when it was first seen: {stage, done, at}.
let announced = "";
let failures = 0;
let timer = 0;

function seconds(value) {
  const [unit, size] = value < 90 ? ["second", 1] : value < 5400 ? ["minute", 60] : ["hour", 3600];
  return new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "long" }).format(Math.ceil(value / size));
}

/** Announce a new stage and every tenth of it to screen readers, not every second. */
function announce(job, share) {
  const step = share === null ? "" : ` ${Math.floor(share * 10) * 10}%`;
  const text = `${job.stage || job.state}${step}`;
  if (text !== announced) {
    announced = text;
    part.announcement.textContent = text;
  }
}

function show(job) {
  const now = performance.now() / 1000;
  if (stageStart === null || stageStart.stage !== job.stage || job.done < stageStart.done) {
    stageStart = { stage: job.stage, done: job.done, at: now };
  }
  const rate = now > stageStart.at ? (job.done - stageStart.done) / (now - stageStart.at) : 0;
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

async function poll() {
  clearTimeout(timer);
  try {
    const response = await fetch(box.dataset.url, { headers: { Accept: "application/json" }, redirect: "error" });
    if (!response.ok) throw new Error(`status ${response.status}`);
    const job = await response.json();
    failures = 0;
    part.error.hidden = true;
    show(job);
    if (job.ended) {
      part.announcement.textContent = box.dataset.ended;
      location.reload();
      return;
    }
  } catch {
    failures += 1;
    part.error.textContent = box.dataset.unavailable;
    part.error.hidden = false;
  }
  const pause = document.hidden ? HIDDEN_POLL_MS : Math.min(POLL_MS * 2 ** failures, MAX_POLL_MS);
  timer = setTimeout(poll, pause);
}

if (box) {
  part.reload.hidden = true;
  document.addEventListener("visibilitychange", () => document.hidden || poll());
  poll();
}
