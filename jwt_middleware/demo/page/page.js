// The demo's page. How a page signs in and out is in session.js.

import { Session } from "./session.js";

const CALLS = [
  { method: "GET", path: "/api/hello", note: "reads" },
  { method: "POST", path: "/api/visits", note: "changes something" },
  { method: "GET", path: "/api/vault", note: "wants a scope that you do not have" },
  { method: "GET", path: "/api/hello", note: "sent without any token", options: { bare: true } },
  { method: "POST", path: "/api/visits", note: "sent without the CSRF token", options: { csrf: false }, mode: "cookies" },
];
const ORDER = ["sub", "name", "scope", "iss", "aud", "client_id", "iat", "exp", "auth_time", "jti", "sid"];
const DATES = new Set(["exp", "iat", "nbf", "auth_time"]);
const LOG_LENGTH = 30;
const RETRY_MS = 5000;

const $ = (id) => document.getElementById(id);
const session = new Session(log);
const tabs = new BroadcastChannel("jwt-middleware-demo");
let lifetime = 60; // seconds, as the last token told
let isRefreshing = false;
let retryAt = 0;

// --- signing in ---

$("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  say("notice", "");
  say("sign-in-error", "");
  const exchange = await session.signIn(form.get("mode"), form.get("username"), form.get("password"));
  if (!exchange.ok) return say("sign-in-error", told(exchange));
  if (!session.isOpen) {
    return say("sign-in-error", "This browser did not keep the cookies. Some, like Safari, take no Secure cookie " +
      "over plain HTTP: start the demo with --plain-cookies, or keep the tokens in this page’s memory.");
  }
  tell();
  await enter();
});

async function enter() {
  if (!(await look())) return;
  $("greeting").focus();
  await list();
}

/** Ask who we are and show it. False if we are nobody any more, or nobody could tell. */
async function look() {
  const exchange = await session.ask("GET", "/api/me");
  if (!exchange.ok) return stumble(exchange);
  if (!session.isOpen) return false; // signed out while the answer was under way
  const { claims, now } = exchange.body;
  session.endsAt = Date.now() + (claims.exp - now) * 1000;
  lifetime = claims.exp - claims.iat;
  show(true);
  showClaims(claims);
  tick();
  return true;
}

/** The session is over, or there is trouble that will pass: only the API knows, and it has said so. */
function stumble(exchange) {
  if (exchange.status === 400 || exchange.status === 401) {
    fall(`this session has ended. The API says: ${told(exchange)}`);
  } else {
    say("token-status", told(exchange));
  }
  return false;
}

/** Signed out by somebody else. */
function fall(reason) {
  leave(`Signed out: ${reason}`, false);
}

/** Signed out, as was wished. */
function leave(farewell, isWished = true) {
  const wasIn = !$("signed-in").hidden;
  session.forget();
  show(false);
  say("notice", farewell);
  $("notice").classList.toggle("calm", isWished);
  if (wasIn) $("welcome").focus();
}

// --- staying signed in ---

/** Renew the tokens; true if that succeeded. */
async function refresh() {
  if (isRefreshing) return false;
  isRefreshing = true;
  const exchange = await session.refresh();
  isRefreshing = false;
  if (!exchange.ok) {
    retryAt = Date.now() + RETRY_MS;
    return stumble(exchange);
  }
  tell();
  if (!(await look())) return false;
  await list();
  return true;
}

$("refresh").addEventListener("click", async () => {
  if (await refresh()) say("token-status", `Renewed: ${Math.round(lifetime)} seconds more.`);
});

function tick() {
  if ($("signed-in").hidden) return;
  const left = Math.max(0, (session.endsAt - Date.now()) / 1000);
  const nearTheEnd = Math.min(10, lifetime / 4);
  $("left").textContent = Math.ceil(left);
  $("ring").style.strokeDashoffset = 100 - Math.min(100, (100 * left) / lifetime);
  document.body.dataset.token = left === 0 ? "over" : left <= nearTheEnd ? "ending" : "good";
  if (left <= nearTheEnd && $("automatic").checked && Date.now() > retryAt) refresh();
}

setInterval(tick, 250);

// --- signing out ---

$("log-out").addEventListener("click", () => end(session.logOut(), "Signed out."));
$("log-out-everywhere").addEventListener("click", () =>
  end(session.ask("POST", "/auth/logout-everywhere"), "Signed out everywhere."));

async function end(answer, farewell) {
  const exchange = await answer;
  if (!exchange.ok) return stumble(exchange); // without a yes from the store we are still signed in
  leave(farewell);
  tell();
}

// Another tab may have ended this session, renewed it or begun one. Its word is only a hint: the API decides.
tabs.addEventListener("message", async () => {
  if (!session.isOpen && $("signed-in").hidden) return;
  if ($("signed-in").hidden) return enter();
  if (!session.isOpen) return fall("another tab has ended this session.");
  if (await look()) await list();
});

function tell() {
  tabs.postMessage("changed");
}

// --- the list of sessions ---

async function list() {
  const exchange = await session.ask("GET", "/auth/sessions");
  if (!exchange.ok) return stumble(exchange);
  $("sessions").replaceChildren(...exchange.body.sessions.map(sessionItem));
}

function sessionItem({ id, label, address, created, last_used: used, current }) {
  const name = element("p", { className: "name", title: label }, browserOf(label));
  if (current) name.append(" ", element("span", { className: "tag" }, "this one"));
  const facts = element("p", { className: "hint" },
    `${address} · since ${timeOf(created)} · last used ${timeOf(used)}`);
  const button = element("button", { type: "button", className: "quiet" }, "End");
  button.setAttribute("aria-label", `End the session of ${browserOf(label)} since ${timeOf(created)}`);
  button.addEventListener("click", async () => {
    const exchange = await session.ask("DELETE", `/auth/sessions/${id}`);
    if (!exchange.ok && exchange.status !== 404) return stumble(exchange);
    tell();
    if (current) return leave("Signed out: you have ended this session.");
    await list();
    $("sessions-title").focus();
  });
  return element("li", {}, element("div", {}, name, facts), button);
}

function browserOf(label) {
  const browser = label.match(/(Edg|OPR|Firefox|HeadlessChrome|Chrome|Safari|curl)[/]/)?.[1] ?? "Another client";
  const system = label.match(/(Windows|Android|iPhone|iPad|Mac OS X|Linux)/)?.[1];
  const known = { Edg: "Edge", OPR: "Opera", HeadlessChrome: "Chrome" }[browser] ?? browser;
  return system ? `${known} on ${system.replace(" OS X", "")}` : known;
}

// --- the protected API ---

function showCalls() {
  const offered = CALLS.filter(({ mode }) => !mode || mode === session.mode);
  $("calls").replaceChildren(...offered.map((call) => {
    const button = element("button", { type: "button", className: "call" },
      element("span", { className: "method" }, call.method), " ",
      element("span", { className: "path" }, call.path), " ",
      element("span", { className: "note" }, call.note));
    button.addEventListener("click", () => perform(call));
    return element("li", {}, button);
  }));
}

async function perform({ method, path, options }) {
  const exchange = await session.once(method, path, options);
  showAnswer(exchange);
  // A token that still had time was ended by somebody; one that ran out may be renewed, by hand or by the clock.
  if (exchange.status === 401 && !options?.bare && session.endsAt > Date.now()) await look();
}

function showAnswer(exchange) {
  const { method, path, status, body, challenge, brought } = exchange;
  const parts = [
    element("p", { className: "verdict" }, pill(status), ` ${meaning(status)} `,
      element("span", { className: "hint" }, `${method} ${path} with ${brought}`)),
    element("pre", {}, JSON.stringify(body, null, 2)),
  ];
  if (challenge) parts.push(element("p", { className: "challenge" }, `WWW-Authenticate: ${challenge}`));
  $("answer").replaceChildren(...parts);
}

function meaning(status) {
  return { 0: "No answer", 200: "OK", 204: "Done", 400: "Bad request", 401: "Unauthorized", 403: "Forbidden",
    404: "Not found", 429: "Too many requests", 503: "Unavailable" }[status] ?? "";
}

// --- showing ---

function show(signedIn) {
  if ($("signed-in").hidden === signedIn) {
    showCalls();
    $("answer").replaceChildren(element("p", { className: "hint" }, "Choose a request: its answer comes here."));
    say("token-status", "");
    say("notice", "");
  }
  $("signed-in").hidden = $("actions").hidden = !signedIn;
  $("signed-out").hidden = signedIn;
}

function showClaims(claims) {
  say("who", `Signed in as ${claims.name ?? claims.sub}`);
  say("where", session.mode === "cookies" ? "tokens in cookies" : "tokens in memory");
  const names = Object.keys(claims).sort((one, other) => ORDER.indexOf(one) - ORDER.indexOf(other));
  const rows = names.flatMap((name) => {
    const value = claims[name];
    const shown = typeof value === "string" ? value : JSON.stringify(value);
    const extra = DATES.has(name) ? [" ", element("span", { className: "hint" }, timeOf(value))] : [];
    return [element("dt", {}, name), element("dd", {}, shown, ...extra)];
  });
  $("claims").replaceChildren(...rows);
  say("exposed-why", session.mode === "cookies"
    ? "The CSRF token alone. Both tokens are in HttpOnly cookies: an injected script could not take them away."
    : "Both tokens, as any script here could. They are in memory only, so they end with this tab.");
  $("exposed").replaceChildren(...session.readable.flatMap(([name, value]) =>
    [element("dt", {}, name), element("dd", { title: value }, value)]));
}

function log({ method, path, brought, status, body }) {
  const line = element("summary", {},
    element("span", { className: "method" }, method), " ", element("span", { className: "path" }, path), " ",
    element("span", { className: "note" }, `with ${brought}`), " ",
    element("time", {}, new Date().toLocaleTimeString()), " ", pill(status));
  const entry = element("details", {}, line, element("pre", {}, body ? JSON.stringify(veiled(body), null, 2) : "no body"));
  $("log").prepend(element("li", {}, entry));
  while ($("log").children.length > LOG_LENGTH) $("log").lastChild.remove();
  $("log-card").hidden = false;
}

/** The log outlives the session on this page, so it keeps no token. */
function veiled(body) {
  return Object.fromEntries(Object.entries(body).map(([name, value]) =>
    [name, ["access_token", "refresh_token", "csrf_token"].includes(name) ? `${value.slice(0, 8)}…` : value]));
}

function told({ status, body, retryAfter }) {
  const later = retryAfter ? ` Try again in ${retryAfter} s.` : "";
  return `${status || "No answer"} ${body?.error ?? ""}: ${body?.error_description ?? ""}${later}`;
}

function pill(status) {
  const kind = status >= 200 && status < 300 ? "good" : status === 0 || status >= 500 ? "bad" : "refused";
  return element("strong", { className: `pill ${kind}` }, String(status || "–"));
}

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function say(id, text) {
  $(id).textContent = text;
}

function timeOf(seconds) {
  return new Date(seconds * 1000).toLocaleTimeString();
}

if (session.isOpen) enter();
