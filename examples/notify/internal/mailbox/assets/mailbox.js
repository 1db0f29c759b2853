"use strict";
// Asks for new messages every second, and for the list when there are some. Where
// the API runs beside the page, it also shows the messages that are on their way.
(() => {
  const list = document.getElementById("list");
  const lost = document.getElementById("lost");
  const progress = document.getElementById("progress");
  const clear = document.getElementById("clear");
  const lang = list.dataset.lang;
  let last = Number(list.dataset.last);
  let empty = list.querySelector("article") === null;
  let api = true; // until it is known that there is none here

  function localTimes() {
    for (const t of list.querySelectorAll("time")) {
      t.textContent = new Date(t.dateTime).toLocaleString(lang);
    }
  }

  async function look() {
    const answer = await fetch("/mailbox/api/messages?after=" + last);
    const news = await answer.json();
    if (news.messages.length > 0 || news.last < last || (empty && news.last > last)) {
      const html = await fetch("/mailbox/list?lang=" + lang);
      list.innerHTML = await html.text();
      localTimes();
      empty = list.querySelector("article") === null;
    }
    last = news.last;
  }

  async function onTheWay() {
    const found = [];
    for (const path of ["/api/emails", "/api/sms"]) {
      for (const status of ["sending", "retrying"]) {
        const answer = await fetch(path + "?limit=20&status=" + status);
        if (answer.status === 404) {
          api = false;
          return [];
        }
        found.push(...(await answer.json()).items);
      }
    }
    return found;
  }

  // line is such as "attempt 3 of 5 in 1.4 s, email.send-0@3".
  function line(s) {
    const wait = Math.max(0, (Date.parse(s.nextAttemptAt) - Date.now()) / 1000);
    const text = progress.dataset[s.status]
      .replace("{n}", s.attempts.length + 1)
      .replace("{max}", progress.dataset.max)
      .replace("{s}", wait.toFixed(1));
    const failed = s.attempts.length > 0 ? s.attempts[s.attempts.length - 1].error : "";
    return text + ", " + s.topic + "-" + s.partition + "@" + s.offset + (failed ? ": " + failed : "");
  }

  async function show() {
    if (!api) {
      return;
    }
    const items = (await onTheWay()).map((s) => {
      const li = document.createElement("li");
      li.textContent = line(s);
      return li;
    });
    progress.querySelector("ul").replaceChildren(...items);
    progress.hidden = items.length === 0;
  }

  async function loop() {
    if (!document.hidden) {
      try {
        await look();
        await show();
        lost.hidden = true;
      } catch {
        lost.hidden = false;
      }
    }
    setTimeout(loop, progress.hidden ? 1000 : 300);
  }

  clear.addEventListener("submit", (e) => {
    if (!window.confirm(clear.dataset.confirm)) {
      e.preventDefault();
    }
  });
  localTimes();
  loop();
})();
