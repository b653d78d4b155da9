// Plays the recordings of the page. Their pictures were made before: this only puts text where it belongs.
'use strict';

const players = [...document.querySelectorAll('.player')].map((section) => {
  const film = JSON.parse(section.querySelector('.film').textContent);
  const part = (name) => section.querySelector('.' + name);
  const [screen, play, time, speed] = ['screen', 'play', 'time', 'speed'].map(part);
  const lines = [];
  let shown = -1; // the picture that is on the screen
  let frame = 0; // the request for the next one, while it plays

  function draw([rowIndex, runs]) {
    const line = lines[rowIndex];
    line.replaceChildren(...runs.map(([text, style]) => {
      const run = document.createElement('span');
      run.textContent = text;
      run.className = style;
      return run;
    }), '\n');
  }

  function empty() {
    shown = -1;
    lines.length = 0;
    screen.replaceChildren();
  }

  function show(seconds) {
    if (shown >= 0 && film.pictures[shown].at > seconds) empty();
    while (shown + 1 < film.pictures.length && film.pictures[shown + 1].at <= seconds) {
      const picture = film.pictures[++shown];
      while (lines.length < picture.n_rows) {
        const line = screen.appendChild(document.createElement('span'));
        line.textContent = '\n';
        lines.push(line);
      }
      while (lines.length > picture.n_rows) lines.pop().remove();
      picture.rows.forEach(draw);
    }
    time.value = seconds;
    part('now').textContent = `${seconds.toFixed(1)} of ${film.seconds.toFixed(1)} s`;
    time.setAttribute('aria-valuetext', part('now').textContent);
    const pressed = film.keys.filter(([at]) => at <= seconds);
    part('key').textContent = pressed.length ? pressed.at(-1)[1] : 'none';
  }

  function stop() {
    cancelAnimationFrame(frame);
    frame = 0;
    play.textContent = 'Play';
  }

  function start() {
    let seconds = Number(time.value) >= film.seconds ? 0 : Number(time.value);
    let last = performance.now();
    play.textContent = 'Pause';
    const step = (now) => {
      seconds = Math.min(film.seconds, seconds + Math.max(0, now - last) / 1000 * Number(speed.value));
      last = now;
      show(seconds);
      if (seconds < film.seconds) frame = requestAnimationFrame(step);
      else stop();
    };
    show(seconds);
    frame = requestAnimationFrame(step);
  }

  const toggle = () => (frame ? stop() : start());
  play.addEventListener('click', toggle);
  time.addEventListener('input', () => {
    stop();
    show(Number(time.value));
  });
  screen.addEventListener('keydown', (event) => {
    if (event.key !== ' ') return;
    event.preventDefault();
    toggle();
  });
  part('controls').hidden = false;
  empty();
  show(film.seconds);

  return {
    enters: film.keys.filter(([, key]) => key === 'enter').map(([at]) => at),
    // Shows what stood there when a key was pressed. Times are in whole microseconds.
    watch(seconds) {
      stop();
      show(Math.max(0, seconds - 5e-7));
      screen.scrollIntoView({ block: 'nearest' });
      screen.focus();
    },
  };
});

// Every question was answered by one Enter. Where that is not so, nothing is offered.
const buttons = [...document.querySelectorAll('.watch')];
if (players.length === 1 && players[0].enters.length === buttons.length) {
  buttons.forEach((button, index) => {
    button.hidden = false;
    button.addEventListener('click', () => players[0].watch(players[0].enters[index]));
  });
}
