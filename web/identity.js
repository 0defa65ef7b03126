/**
 * Who asks. Where the service knows no users the page names one (`/?user=ada`); where it wants tokens the page asks
 * for one and keeps it for this tab only.
 */

const TOKEN = "parlor.token";
const USUAL_USER = "local";

/** What a user id may be: the contract, section 1. */
const USER = /^[A-Za-z0-9][A-Za-z0-9._@:|+~=-]{0,127}$/;

export class Identity {
  #user;
  #token = sessionStorage.getItem(TOKEN);

  constructor(address = location.search) {
    const named = new URLSearchParams(address).get("user") ?? USUAL_USER;
    this.#user = USER.test(named) ? named : USUAL_USER;
  }

  /** The user whose conversations these are. A token that cannot be read is sent all the same: the service judges. */
  get user() {
    return this.#token === null ? this.#user : (subject(this.#token) ?? this.#user);
  }

  get hasToken() {
    return this.#token !== null;
  }

  /** The headers that say it. */
  headers() {
    return this.#token === null ? { "x-user-id": this.#user } : { authorization: `Bearer ${this.#token}` };
  }

  /** Takes a name; returns whether it can be one. */
  become(user) {
    if (!USER.test(user)) return false;
    this.#user = user;
    return true;
  }

  /** Takes a token, as it is pasted; returns whether it looks like one. */
  present(token) {
    const bare = token.trim().replace(/^Bearer\s+/i, "");
    if (!/^[\w.~+/=-]+$/.test(bare)) return false;
    this.#token = bare;
    sessionStorage.setItem(TOKEN, bare);
    return true;
  }
}

/** Reads for whom a token speaks, without judging it. */
function subject(token) {
  try {
    const bytes = Uint8Array.from(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")), (sign) => sign.charCodeAt(0));
    const { sub } = JSON.parse(new TextDecoder().decode(bytes));
    return typeof sub === "string" ? sub : null;
  } catch {
    return null;
  }
}
