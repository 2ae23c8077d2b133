"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const [form, valueField, kindField, keyField, submit, cancel] = ["form", "value", "kind", "key", "submit", "cancel"].map(byId);
  const hasKey = () => keyField.value !== "" || !setup.needs_key;
  const [progress, problemBox, result] = ["progress", "problem", "result"].map(byId);
  const tabs = [...document.querySelectorAll('[role="tab"]')];
  const setup = JSON.parse(byId("setup").textContent); // {key, needs_key, examples}
  // Relative to the page, so that it works behind a base path: the page is at `/` or at `/v1/` of the service.
  const endpoint = location.pathname.endsWith("/v1/") ? "enrich"
    : location.pathname.endsWith("/") ? "v1/enrich" : `${location.pathname.slice(1).split("/").pop()}/v1/enrich`;

  let lookup = null; // The lookup that is shown or running: {subject, answer}.
  let running = null; // The AbortController of the running request.
  let waiting = null; // The timer of a problem's Retry-After.
  const subjects = []; // What this tab has looked up, the newest first: {field, value}.

  // Characters that reorder or hide a text are written out: `invoice\u202Efdp.exe` would look like a PDF.
  const plain = (text) => text.replace(/[\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);

  // Everything of an answer becomes a text node here, never HTML.
  function element(tag, properties = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (value === null || value === undefined || value === false) continue;
      if (name === "onclick") made.addEventListener("click", value);
      else made.setAttribute(name === "className" ? "class" : name, value === true ? "" : value);
    }
    made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== "").map((child) => (typeof child === "string" ? plain(child) : child)));
    return made;
  }

  // Only an https address becomes a link.
  function link(url, text) {
    let address = null;
    try { address = new URL(url); } catch { /* It is shown as a text. */ }
    if (address === null || address.protocol !== "https:") return element("span", {}, text);
    return element("a", { href: address.href, target: "_blank", rel: "noopener noreferrer" }, text);
  }

  const words = (word) => String(word).replaceAll("_", " ");
  const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
  const time = (text) => (text ? element("time", { datetime: text, title: new Date(text).toLocaleString() }, `${text.slice(0, 10)} ${text.slice(11, 16)} UTC`) : null);
  // The name of a member, as a label.
  const label = (name) => capital(words(name)).replace(/\b(aad|id|ip|md5|os|pid|sha1|sha256|sid|upn|url)\b/gi, (word) => word.toUpperCase());

  function badge(text, tone) {
    return element("span", { className: `badge ${tone ?? ""}` }, text);
  }
  const severityBadge = (word, suffix = "") =>
    badge(`Severity: ${words(word)}${suffix}`, ["critical", "high", "medium", "low"].includes(word) ? word : "");
  const verdictTone = (word) => (word === "true_positive" ? "high" : ["benign", "false_positive", "test"].includes(word) ? "calm" : "");

  function facts(rows) {
    const shown = rows.filter(([, value]) => value !== null && value !== undefined && value !== "" && !(Array.isArray(value) && value.length === 0));
    if (shown.length === 0) return null;
    return element("dl", {}, shown.map(([name, value]) => {
      const content = Array.isArray(value) ? value.flatMap((part, index) => (index ? [", ", part] : [part])) : [value];
      return [element("dt", {}, name), element("dd", {}, content.map((part) => (part instanceof Node ? part : String(part))))];
    }));
  }

  const heading = (text) => element("h3", {}, text);

  // Members that are set, by their own names: for objects whose members are many and open.
  function members(object, leftOut = []) {
    const rows = Object.entries(object ?? {}).filter(([name]) => !leftOut.includes(name)).map(([name, value]) => {
      if (typeof value === "string" && /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value)) return [label(name), time(value)];
      if (typeof value === "boolean") return [label(name), value ? "yes" : "no"];
      if (value === null || typeof value !== "object" || (Array.isArray(value) && value.every((part) => typeof part === "string"))) return [label(name), value];
      return [label(name), Object.keys(value).length === 0 ? null : element("code", {}, JSON.stringify(value))];
    });
    return facts(rows);
  }

  function show(name) {
    for (const tab of tabs) {
      const isShown = tab.id === `tab-${name}`;
      tab.setAttribute("aria-selected", isShown);
      tab.tabIndex = isShown ? 0 : -1;
      byId(tab.getAttribute("aria-controls")).hidden = !isShown;
    }
    fill(name);
  }

  const user = (account) => account.upn ?? (account.domain && account.name ? `${account.domain}\\${account.name}` : account.name ?? account.sid ?? account.aad_id);
  const file = (one) => one.sha256 ?? one.sha1;
  const inFolder = (one) => (one.path && one.name ? `${one.path.replace(/[\\/]+$/, "")}${one.path.includes("/") ? "/" : "\\"}${one.name}` : one.name ?? one.path);
  // Each group of entities: its title, how an entity is written, and the field and value that look it up, if there are any.
  const groups = {
    devices: ["Devices", (one) => one.name ?? one.id, "machine", (one) => one.id ?? one.name],
    users: ["Users", user, "user", user],
    files: ["Files", (one) => [inFolder(one), file(one) ?? one.md5].filter(Boolean).join(" · "), "file_hash", file],
    processes: ["Processes", (one) => one.command_line ?? one.name],
    ips: ["Addresses", (one) => one.address, "ip", (one) => one.address],
    urls: ["URLs and domains", (one) => one.url, "url", (one) => one.url],
    registry: ["Registry", (one) => [[one.hive, one.key].filter(Boolean).join("\\"), one.value_name, one.value].filter(Boolean).join(" · ")],
    mailboxes: ["Mailboxes", (one) => one.address ?? one.display_name, "user", (one) => one.address],
    mails: ["Mails", (one) => [one.sender, one.recipient, one.subject].filter(Boolean).join(" → ")],
    other: ["Other", (one) => words(one.type ?? "")],
  };

  // A button that looks a subject up.
  function lookupButton(field, value, text) {
    return element("button", { type: "button", className: "chip mono", title: plain(`Look up ${value}`), onclick: () => start({ field, value }) }, text);
  }

  function entities(all) {
    return Object.entries(groups).flatMap(([group, [title, write, field, key]]) => {
      const list = all?.[group] ?? [];
      if (list.length === 0) return [];
      const chips = list.filter(write).map((one) => element("li", {}, key?.(one) ? lookupButton(field, key(one), write(one)) : element("span", { className: "chip mono" }, write(one))));
      return [heading(`${title} (${list.length})`), element("ul", { className: "plain" }, chips)];
    });
  }

  function evidence(one) {
    return element("li", {}, element("strong", {}, label(one.type)), members(one, ["type", "extra", "parent", "user"]) ?? "");
  }

  function alert(one) {
    const where = [one.device?.name ?? one.device?.id, one.user].filter(Boolean);
    const seen = time(one.last_seen ?? one.created_at);
    return element("details", { className: "alert" },
      element("summary", {},
        element("span", { className: "title" }, one.title ?? one.id ?? "Alert"), " ",
        element("span", { className: "badges" }, severityBadge(one.severity), badge(`Status: ${words(one.status)}`, one.status === "resolved" ? "calm" : ""), badge(`Verdict: ${words(one.verdict)}`, verdictTone(one.verdict))),
        element("span", { className: "where" }, where.join(" · "), where.length && seen ? " · " : "", seen)),
      one.url ? element("p", {}, link(one.url, "Open this alert in Microsoft Defender")) : null,
      one.description ? element("p", { className: "text" }, one.description) : null,
      facts([
        ["Id", element("code", {}, one.id ?? "–")], ["Incident", one.incident_id ? lookupButton("incident_id", one.incident_id, one.incident_id) : null],
        ["Category", one.categories], ["Techniques", one.techniques], ["Threat", one.threat_name], ["Actor", one.actor],
        ["Assigned to", one.assigned_to], ["Classification", one.classification], ["Determination", one.determination],
        ["Investigation", one.investigation_state], ["Source", one.product_name ?? one.service_source ?? one.detection_source], ["Tags", one.tags],
        ["First seen", time(one.first_seen)], ["Last seen", time(one.last_seen)], ["Created", time(one.created_at)], ["Resolved", time(one.resolved_at)],
      ]),
      one.evidence.length ? [heading(`Evidence (${one.evidence.length})`), element("ul", {}, one.evidence.map(evidence))]
        : element("p", { className: "quiet" }, one.evidence_loaded ? "This alert has no evidence." : "Defender sends no evidence with a list. Look up the alert to see it."),
      one.recommended_actions ? [heading("Recommended actions"), element("p", { className: "text" }, one.recommended_actions)] : null,
      one.comments.length ? [heading("Comments"), element("ul", {}, one.comments.map((comment) => element("li", { className: "text" }, comment.text ?? "", " ", element("span", { className: "quiet" }, [comment.author, comment.created_at?.slice(0, 10)].filter(Boolean).join(", ")))))] : null);
  }

  function answerView(answer) {
    const open = answer.severity_open;
    const counts = answer.counts;
    const bySeverity = ["critical", "high", "medium", "low", "informational", "unknown", "other"].filter((word) => counts.by_severity[word] > 0).map((word) => `${counts.by_severity[word]} ${word}`);
    return [
      element("h2", { id: "headline", tabindex: "-1" }, answer.summary),
      element("div", { className: "badges" },
        answer.found ? null : badge("No alerts found"),
        answer.found ? severityBadge(open ?? answer.severity, open ? ", open" : ", nothing open") : null,
        badge(`Status: ${words(answer.status)}`, answer.status === "resolved" ? "calm" : ""),
        answer.verdict === "none" ? null : badge(`Verdict: ${words(answer.verdict)}`, verdictTone(answer.verdict))),
      answer.warnings.length ? element("div", { className: "warnings" }, heading("Read this first"), element("ul", {}, answer.warnings.map((one) => element("li", {}, one.detail, " ", element("code", {}, one.code))))) : null,
      answer.url ? element("p", {}, link(answer.url, "Open in Microsoft Defender")) : null,
      facts([
        [label(answer.kind), element("code", {}, answer.id)],
        ["Alerts", counts.alerts ? `${counts.alerts} (${bySeverity.join(", ")}), ${counts.open} open` : "none"],
        ["Techniques", answer.techniques], ["Categories", answer.categories], ["Threats", answer.threats],
        ["First seen", time(answer.first_seen)], ["Last seen", time(answer.last_seen)], ["Updated", time(answer.updated_at)],
      ]),
      Object.entries(answer.context ?? {}).filter(([, part]) => part).flatMap(([part, about]) => [heading(`What Defender says about this ${part === "ip" ? "address" : part}`), members(about)]),
      answer.incident ? [heading("Incident"), members(answer.incident, ["severity", "severity_id", "extra", "comments", "url"])] : null,
      entities(answer.entities),
      answer.alerts.length ? heading(answer.alerts.length < counts.alerts ? `Alerts (${answer.alerts.length} of ${counts.alerts} are listed)` : `Alerts (${answer.alerts.length})`) : null,
      answer.alerts.map(alert),
      answer.resolution.length ? [heading("How the value was read"), element("ol", {}, answer.resolution.map((step) => element("li", {}, `${capital(words(step.step))}: `, element("code", {}, step.from), " → ", element("code", {}, step.to))))] : null,
      element("p", { className: "quiet" }, `${answer.source.product} · ${answer.source.api} · `, time(answer.source.retrieved_at), ` · ${{ miss: "fetched now", hit: `remembered, ${answer.source.age_s} s old`, stale: `remembered, ${answer.source.age_s} s old: Microsoft does not answer now` }[answer.source.cache]}`),
    ];
  }

  // Slack's mrkdwn, as far as our messages use it: *bold*, `code`, <address|text>.
  function mrkdwn(text) {
    const unescape = (part) => part.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
    return text.split(/(<[^>|]*\|[^>]*>|`[^`\n]+`|\*[^*\n]+\*)/).map((part) => {
      const anchor = /^<([^>|]*)\|([^>]*)>$/.exec(part);
      if (anchor) return link(unescape(anchor[1]), unescape(anchor[2]));
      if (/^`[^`]+`$/.test(part)) return element("code", {}, unescape(part.slice(1, -1)));
      if (/^\*[^*]+\*$/.test(part)) return element("strong", {}, unescape(part.slice(1, -1)));
      return unescape(part);
    });
  }

  function slackBlock(block) {
    const text = (one) => element("div", { className: "text" }, one.type === "plain_text" ? one.text : mrkdwn(one.text));
    switch (block.type) {
      case "header": return element("p", { className: "large" }, block.text.text);
      case "divider": return element("hr");
      case "section": return element("div", {}, block.text ? text(block.text) : null, block.fields ? element("div", { className: "fields" }, block.fields.map(text)) : null);
      case "context": return element("div", { className: "quiet" }, block.elements.map(text));
      default: return element("pre", {}, JSON.stringify(block, null, 2));
    }
  }

  // Markdown of a card's text, as far as our cards use it: **bold**, [text](address), backslashes.
  function cardText(text) {
    const unescape = (part) => part.replace(/\\([^\w\s])/g, "$1");
    return text.split(/(\*\*[^*]+\*\*|\[(?:\\.|[^\]\\])*\]\([^)\s]*\))/).map((part) => {
      const anchor = /^\[((?:\\.|[^\]\\])*)\]\(([^)\s]*)\)$/.exec(part);
      if (anchor) return link(anchor[2], unescape(anchor[1]));
      return /^\*\*[^*]+\*\*$/.test(part) ? element("strong", {}, unescape(part.slice(2, -2))) : unescape(part);
    });
  }

  function cardElement(one) {
    switch (one.type) {
      case "TextBlock": return element("p", { className: one.size === "Large" ? "text large" : one.isSubtle ? "text quiet" : "text" }, cardText(one.text));
      case "RichTextBlock": return element("p", { className: one.inlines.some((run) => run.size === "Large") ? "large" : one.inlines.every((run) => run.isSubtle) ? "quiet" : "" },
        one.inlines.map((run) => (typeof run === "string" ? run : element(run.fontType === "Monospace" ? "code" : run.weight === "Bolder" ? "strong" : "span", {}, run.text))));
      case "FactSet": return facts(one.facts.map((fact) => [fact.title, element("span", {}, cardText(fact.value))])) ?? "";
      case "Container": return element("div", {}, one.separator ? element("hr") : null, one.items.map(cardElement));
      default: return element("pre", {}, JSON.stringify(one, null, 2));
    }
  }

  const formViews = {
    slack: (text) => element("div", { className: "message" }, JSON.parse(text).blocks.map(slackBlock)),
    teams: (text) => JSON.parse(text).attachments.map(({ content }) => element("div", { className: "message" }, content.body.map(cardElement), (content.actions ?? []).map((action) => element("p", {}, link(action.url, action.title))))),
    markdown: (text) => element("pre", {}, text),
  };

  function withCopy(text, view) {
    const copy = element("button", { type: "button", onclick: () => Promise.resolve().then(() => navigator.clipboard.writeText(text)).then(() => { copy.textContent = "Copied"; }, () => { copy.textContent = "The browser refused"; }) }, "Copy");
    return [element("p", {}, copy), view];
  }

  // Fills a panel when it is first shown. Slack's, Teams' and the ticket's forms are asked for then: the answer is in the cache.
  async function fill(name) {
    const shown = lookup;
    const panel = byId(`panel-${name}`);
    if (!shown?.answer || (panel.childElementCount > 0 && panel.dataset.failed !== "yes")) return;
    if (name === "answer") return panel.replaceChildren(...answerView(shown.answer).flat(Infinity).filter((part) => part !== null));
    if (name === "json") {
      const text = JSON.stringify(shown.answer, null, 2);
      return panel.replaceChildren(...withCopy(text, element("pre", {}, text)));
    }
    panel.replaceChildren(element("p", { className: "quiet" }, "Loading …"));
    let parts;
    panel.dataset.failed = "";
    try {
      const response = await request({ ...asked(shown.subject), format: name });
      const text = await response.text();
      if (!response.ok) panel.dataset.failed = "yes";
      parts = response.ok ? withCopy(text, formViews[name](text)) : [element("p", {}, JSON.parse(text).detail)];
    } catch (error) {
      panel.dataset.failed = "yes";
      parts = [element("p", {}, `This form cannot be shown: ${error.message}`)];
    }
    if (lookup === shown) panel.replaceChildren(...parts.flat(Infinity));
  }

  function request(body, signal) {
    const headers = { "Content-Type": "application/json" };
    if (keyField.value) headers["X-Api-Key"] = keyField.value;
    return fetch(endpoint, { method: "POST", headers, body: JSON.stringify({ include: "context", ...body }), signal, credentials: "omit", cache: "no-store", redirect: "error", referrerPolicy: "no-referrer" });
  }

  function showProblem(problem, retryAfter) {
    const again = element("button", { type: "button", onclick: () => start(lookup.subject) }, "Try again");
    const wait = element("span", { className: "quiet" });
    problemBox.replaceChildren(
      element("h2", { tabindex: "-1" }, problem.title),
      element("p", { className: "text" }, problem.detail ?? ""),
      ...(problem.errors ?? []).map((one) => element("p", {}, element("code", {}, one.pointer), ` ${one.detail}`)),
      element("p", { "aria-live": "off" }, again, " ", wait),
      element("p", { className: "quiet" }, [problem.status, problem.code, problem.request_id && `request ${problem.request_id}`].filter(Boolean).join(" · ")));
    problemBox.hidden = false;
    problemBox.firstChild.focus();
    const end = Date.now() + retryAfter * 1000;
    const count = () => {
      const left = Math.ceil((end - Date.now()) / 1000);
      again.disabled = left > 0;
      const text = left > 0 ? `in ${left} s` : "";
      if (wait.textContent !== text) wait.textContent = text;
      waiting = left > 0 ? setTimeout(count, 250) : null;
    };
    if (retryAfter > 0) count();
  }

  function showHistory(subject) {
    const place = subjects.findIndex((one) => one.field === subject.field && one.value === subject.value);
    if (place >= 0) subjects.splice(place, 1);
    subjects.unshift(subject);
    subjects.length = Math.min(subjects.length, 20);
    byId("history").hidden = false;
    byId("history").querySelector("ul").replaceChildren(...subjects.map(({ field, value }) => element("li", {}, lookupButton(field, value, field === "value" ? value : `${words(field)} ${value}`))));
  }

  // The subject is kept in the fragment, which a browser does not send: `#value=…`, or `#machine=…` where its kind was chosen.
  const asked = ({ field, value }) => ({ [field]: value });
  const fragment = (subject) => `#${new URLSearchParams(asked(subject))}`;
  function subjectInFragment() {
    const fields = new URLSearchParams(location.hash.slice(1));
    const field = [...kindField.options].map((option) => option.value).find((name) => fields.get(name));
    return field ? { field, value: fields.get(field) } : { field: "value", value: "" };
  }
  // The kind of a lookup that was clicked is not the kind of what is typed next.
  let isKindChosen = false;
  kindField.addEventListener("change", () => { isKindChosen = true; });
  valueField.addEventListener("input", () => { if (!isKindChosen) kindField.value = "value"; });
  function fillIn({ field, value }) {
    isKindChosen = isKindChosen && field === kindField.value;
    [kindField.value, valueField.value] = [field, value];
  }

  function start(subject) {
    fillIn(subject);
    if (location.hash !== fragment(subject)) history.pushState(null, "", fragment(subject));
    look(subject);
  }

  async function look(subject) {
    running?.abort();
    clearTimeout(waiting);
    const mine = new AbortController();
    const shown = { subject, answer: null };
    [running, lookup] = [mine, shown];
    problemBox.hidden = true;
    result.hidden = true;
    byId("examples").open = false;
    result.querySelectorAll('[role="tabpanel"]').forEach((panel) => panel.replaceChildren());
    cancel.hidden = false;
    progress.classList.add("running");
    const begin = Date.now();
    const seconds = () => Math.floor((Date.now() - begin) / 1000);
    const say = () => { progress.textContent = seconds() < 2 ? "Asking Microsoft Defender …" : `Asking Microsoft Defender … ${seconds()} s`; };
    say();
    const clock = setInterval(say, 1000);
    try {
      if (/[^\x20-\x7e]/.test(keyField.value)) {
        showProblem({ title: "The key cannot be sent", detail: "It has a character that no key has. Copy it again." }, 0);
        keyField.focus();
        return;
      }
      const response = await request(asked(subject), mine.signal);
      const text = await response.text();
      if (lookup !== shown) return;
      let body = null;
      try { body = JSON.parse(text); } catch { /* It is no answer of ours. */ }
      if (response.ok && body?.schema_version) {
        shown.answer = body;
        result.hidden = false;
        show("answer");
        byId("headline").focus();
      } else {
        const fallback = { title: `The address answered ${response.status}`, detail: "This is no answer of defender-enrich. Is something in between?", status: response.status };
        showProblem(typeof body?.code === "string" ? body : fallback, Math.min(Number(response.headers.get("Retry-After")) || Number(body?.retry_after_s) || 0, 3600));
        if (response.status === 401) keyField.focus();
      }
    } catch (error) {
      if (lookup !== shown) return;
      if (error.name !== "AbortError") showProblem({ title: "The service cannot be reached", detail: error.message }, 0);
    } finally {
      clearInterval(clock);
      if (running === mine) {
        if (document.activeElement === cancel) valueField.focus();
        cancel.hidden = true;
        progress.classList.remove("running");
        progress.textContent = mine.signal.aborted ? "Cancelled." : "";
      }
    }
    showHistory(subject);
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const value = valueField.value.trim();
    if (value) start({ field: kindField.value, value });
  });
  cancel.addEventListener("click", () => running?.abort());
  addEventListener("popstate", () => {
    const subject = subjectInFragment();
    fillIn(subject);
    if (subject.value && hasKey()) look(subject);
    else if (!subject.value) {
      running?.abort();
      clearTimeout(waiting);
      lookup = null;
      result.hidden = problemBox.hidden = true;
    }
  });

  for (const [place, tab] of tabs.entries()) {
    tab.addEventListener("click", () => show(tab.id.slice("tab-".length)));
    tab.addEventListener("keydown", (event) => {
      const next = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: tabs.length - 1 }[event.key];
      if (next === undefined) return;
      event.preventDefault();
      const target = tabs[(next + tabs.length) % tabs.length];
      target.focus();
      show(target.id.slice("tab-".length));
    });
  }

  keyField.value = setup.key ?? "";
  byId("key-field").hidden = byId("key-help").hidden = !setup.needs_key;
  if (setup.examples?.length) {
    byId("examples").hidden = false;
    byId("examples").querySelector("ul").append(...setup.examples.map(({ field, value, about }) => element("li", {}, lookupButton(field, value, value), " ", element("span", { className: "quiet" }, about))));
  }
  fillIn(subjectInFragment());
  // Without a key, a link only fills in the value.
  if (valueField.value && hasKey()) look(subjectInFragment());
  else (valueField.value && setup.needs_key ? keyField : valueField).focus();
})();
