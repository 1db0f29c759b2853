"use strict";
// Asks for new messages every second, and for the list when there are some.
(() => {
  const list = document.getElementById("list");
  const lost = document.getElementById("lost");
  let last = Number(list.dataset.last);
  let empty = list.querySelector("article") === null;

  async function look() {
    const answer = await fetch("/mailbox/api/messages?after=" + last);
    const news = await answer.json();
    if (news.messages.length > 0 || news.last < last || (empty && news.last > last)) {
      const html = await fetch("/mailbox/list?lang=" + list.dataset.lang);
      list.innerHTML = await html.text();
      empty = list.querySelector("article") === null;
    }
    last = news.last;
  }

  async function loop() {
    if (!document.hidden) {
      try {
        await look();
        lost.hidden = true;
      } catch {
        lost.hidden = false;
      }
    }
    setTimeout(loop, 1000);
  }
  loop();
})();
