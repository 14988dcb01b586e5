// Signing in and out as a page of your own might do it, in cookies or in memory. Knows nothing of the demo's page.

export class Session {
  mode = "cookies";
  endsAt = 0; // when the access token ends: milliseconds, by this machine's clock

  // Header mode keeps its tokens in these two fields alone. localStorage would keep them for every script that ever
  // runs on this origin, an injected one too, and on disk after the tab is gone; these end with the page.
  #access = "";
  #refresh = "";
  #tell;

  constructor(tell) {
    this.#tell = tell; // is called with each exchange
  }

  // --- what this tab holds ---

  get isOpen() {
    return Boolean(this.mode === "cookies" ? csrfToken() : this.#refresh);
  }

  get readable() {
    if (this.mode === "cookies") return document.cookie.split("; ").map((cookie) => cookie.split("="));
    return [["access token", this.#access], ["refresh token", this.#refresh]];
  }

  forget() {
    this.#access = this.#refresh = "";
    this.endsAt = 0;
  }

  // --- signing in, staying, signing out ---

  async signIn(mode, username, password) {
    this.mode = mode;
    const wanted = mode === "cookies" ? { delivery: "cookies" } : {};
    return this.#keep(await this.#hand("/auth/token", "the password", { username, password, ...wanted }));
  }

  async refresh() {
    return this.#keep(await this.#withRefreshToken("/auth/refresh"));
  }

  async logOut() {
    return this.#withRefreshToken("/auth/logout");
  }

  #withRefreshToken(path) {
    if (this.mode === "cookies") return this.once("POST", path);
    return this.#hand(path, "the refresh token", { refresh_token: this.#refresh });
  }

  // --- requests ---

  /** Send a request as the user; where the access token has ended, renew it and try once more. */
  async ask(method, path) {
    const first = await this.once(method, path);
    if (first.status !== 401 || !this.isOpen) return first;
    const renewed = await this.refresh();
    return renewed.ok ? this.once(method, path) : renewed;
  }

  /** Send a request once: `bare` without any credential, `csrf: false` without the CSRF token. */
  async once(method, path, { bare = false, csrf = true } = {}) {
    const headers = {};
    const brought = [];
    if (bare) {
      brought.push("no token");
    } else if (this.mode === "headers") {
      headers.Authorization = `Bearer ${this.#access}`;
      brought.push("Bearer token");
    } else {
      brought.push("cookies");
      if (csrf && method !== "GET") {
        headers["X-CSRF-Token"] = csrfToken();
        brought.push("CSRF token");
      }
    }
    const credentials = bare || this.mode === "headers" ? "omit" : "same-origin";
    return this.#exchange(method, path, brought.join(" and "), { headers, credentials });
  }

  /** Send a credential in the body. In header mode cookies of another session on this origin stay out of it. */
  #hand(path, brought, content) {
    const headers = { "Content-Type": "application/json" };
    const credentials = this.mode === "headers" ? "omit" : "same-origin";
    return this.#exchange("POST", path, brought, { headers, credentials, body: JSON.stringify(content) });
  }

  async #exchange(method, path, brought, request) {
    const exchange = { method, path, brought, ...(await answerTo(path, { method, ...request })) };
    this.#tell(exchange);
    return exchange;
  }

  #keep(exchange) {
    if (!exchange.ok) return exchange;
    const given = exchange.body;
    this.#access = given.access_token ?? "";
    this.#refresh = given.refresh_token ?? "";
    this.endsAt = Date.now() + given.expires_in * 1000;
    return exchange;
  }
}

async function answerTo(path, request) {
  try {
    const response = await fetch(path, request);
    const text = await response.text();
    return {
      status: response.status, ok: response.ok, body: text ? JSON.parse(text) : null,
      challenge: response.headers.get("WWW-Authenticate"), retryAfter: response.headers.get("Retry-After"),
    };
  } catch {
    const body = { error: "no_answer", error_description: "Nothing answered. Is the demo still running?" };
    return { status: 0, ok: false, body, challenge: null, retryAfter: null };
  }
}

/** The one cookie that a script may read; its name begins with __Host- unless cookies are plain. */
function csrfToken() {
  return document.cookie.match(/(?:^|; )(?:__Host-)?csrf_token=([^;]*)/)?.[1] ?? "";
}
