// What works with scripts alone: copying, dropping a file, and saying at once that a file is too large.
"use strict";

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const label = button.textContent;
    const source = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(source); // so that the keyboard can copy it
      button.textContent = "Press Ctrl+C";
    }
    setTimeout(() => { button.textContent = label; }, 2000);
  });
}

const zone = document.getElementById("drop-zone");
const file = document.getElementById("file");
if (zone && file) {
  for (const text of zone.querySelectorAll(".needs-script")) text.hidden = false;
  const problem = document.getElementById("problem-file");
  const read = () => {
    const chosen = file.files[0];
    if (!chosen) return;
    if (chosen.size > Number(file.dataset.limit)) {
      problem.textContent = "“" + chosen.name + "” has " + Math.round(chosen.size / 1048576) + " MiB, so it is not the metadata of one identity provider. The right file has some 20 kB.";
      problem.hidden = false;
      file.value = "";
      return;
    }
    problem.hidden = true;
    document.getElementById("pasted").value = ""; // of the two it is the file that counts
    file.form.requestSubmit(document.getElementById("read"));
  };
  file.addEventListener("change", read);
  zone.addEventListener("dragover", (event) => { event.preventDefault(); zone.classList.add("over"); });
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    if (event.dataTransfer.files.length) {
      file.files = event.dataTransfer.files;
      read();
      return;
    }
    const text = event.dataTransfer.getData("text");
    if (!text) return;
    file.value = "";
    document.getElementById("pasted").value = text;
    file.form.requestSubmit(document.getElementById("read"));
  });
}
