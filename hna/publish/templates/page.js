"use strict";
(function () {
  var number = function (text) {
    var found = text.replace(/,/g, "").replace("\u2212", "-").match(/-?\d+(\.\d+)?/);
    return found ? parseFloat(found[0]) : null;
  };
  var make = function (name, text) {
    var made = document.createElement(name);
    if (text) { made.textContent = text; }
    return made;
  };
  var sorter = function (table, column, button) {
    button.addEventListener("click", function () {
      var body = table.tBodies[0], head = button.parentNode;
      var up = head.getAttribute("aria-sort") !== "ascending";
      var key = function (row) { return row.cells[column].textContent; };
      var rows = Array.from(body.rows).sort(function (a, b) {
        var x = number(key(a)), y = number(key(b));
        var order = x !== null && y !== null ? x - y : key(a).localeCompare(key(b), "en-GB");
        return up ? order : -order;
      });
      Array.from(table.tHead.rows[0].cells).forEach(function (cell) { cell.removeAttribute("aria-sort"); });
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      rows.forEach(function (row) { body.appendChild(row); });
    });
  };
  var chooser = function (table) {
    var tools = make("div"), chosen = [];
    tools.className = "tools";
    Array.from(table.tHead.rows[0].cells).forEach(function (cell, column) {
      if (cell.classList.contains("number")) { return; }
      var values = Array.from(new Set(Array.from(table.tBodies[0].rows).map(function (row) { return row.cells[column].textContent; })));
      if (values.length < 2) { return; }
      var label = make("label", cell.textContent + " "), list = make("select");
      list.appendChild(make("option", "any"));
      values.forEach(function (value) { list.appendChild(make("option", value)); });
      label.appendChild(list);
      tools.appendChild(label);
      chosen.push([column, list]);
      list.addEventListener("change", function () {
        Array.from(table.tBodies[0].rows).forEach(function (row) {
          row.hidden = chosen.some(function (pair) {
            return pair[1].selectedIndex > 0 && row.cells[pair[0]].textContent !== pair[1].value;
          });
        });
      });
    });
    table.parentNode.parentNode.insertBefore(tools, table.parentNode);
  };
  var ready = function (table) {
    if (table.dataset.ready) { return; }
    table.dataset.ready = "yes";
    chooser(table);
    Array.from(table.tHead.rows[0].cells).forEach(function (cell, column) {
      var button = make("button");
      button.type = "button";
      button.className = "sort";
      while (cell.firstChild) { button.appendChild(cell.firstChild); }
      cell.appendChild(button);
      sorter(table, column, button);
    });
  };
  document.querySelectorAll("details").forEach(function (fold) {
    fold.addEventListener("toggle", function () { fold.querySelectorAll("table.sortable").forEach(ready); });
  });
  var contents = document.querySelector(".contents");
  if (contents && contents.querySelectorAll("li li").length > 9) {
    var label = make("label", "Find a need "), box = make("input"), tools = make("div");
    tools.className = "tools";
    box.type = "search";
    label.appendChild(box);
    tools.appendChild(label);
    contents.parentNode.insertBefore(tools, contents);
    box.addEventListener("input", function () {
      contents.querySelectorAll("li li").forEach(function (item) {
        item.hidden = item.textContent.toLowerCase().indexOf(box.value.toLowerCase()) < 0;
      });
    });
  }
  var places = Array.from(new Set(Array.from(document.querySelectorAll("table.summary tr[data-area]")).map(function (row) {
    return row.dataset.area;
  })));
  if (places.length > 1) {
    var choice = make("label", "Show "), options = make("select"), bar = make("div");
    bar.className = "tools place";
    options.appendChild(make("option", "every area"));
    places.forEach(function (place) { options.appendChild(make("option", place)); });
    choice.appendChild(options);
    bar.appendChild(choice);
    document.querySelector("main").insertBefore(bar, document.querySelector("main").firstChild);
    options.addEventListener("change", function () {
      var all = options.selectedIndex === 0;
      var other = function (name) { return !all && places.indexOf(name) >= 0 && name !== options.value; };
      document.querySelectorAll("[data-area]").forEach(function (part) { part.hidden = other(part.dataset.area); });
      document.querySelectorAll("article table:not(.sortable)").forEach(function (table) {
        if (table.tHead.rows[0].cells[0].textContent !== "Area") { return; }
        Array.from(table.tBodies[0].rows).forEach(function (row) { row.hidden = other(row.cells[0].textContent); });
      });
    });
  }
  window.addEventListener("beforeprint", function () {
    document.querySelectorAll("details").forEach(function (fold) { fold.open = false; });
  });
})();
