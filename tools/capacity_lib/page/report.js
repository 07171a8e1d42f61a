// Draws the charts of a report (charts.py describes them) with ECharts, as SVG, in the colours of the page.
// Drawn anew when the page turns dark or light, when it is printed, and when its width changes.
(function () {
  'use strict';
  const data = JSON.parse(document.getElementById('data').textContent);
  const DASHES = {solid: 'solid', dashed: [7, 4], dotted: [2, 3]};
  const SYMBOLS = ['circle', 'rect', 'diamond', 'triangle', 'roundRect', 'pin'];
  const LIGHT_PRINT = {ink: '#000000', quiet: '#444444', line: '#bbbbbb', card: '#ffffff',
    servers: ['#0072b2', '#d55e00', '#009e73', '#b0558a', '#9a6a00', '#2f86b5']};
  const drawn = new Map();
  let printing = false;

  function colours() {
    if (printing) return LIGHT_PRINT;
    const style = getComputedStyle(document.documentElement);
    const value = (name) => style.getPropertyValue(name).trim();
    return {ink: value('--ink'), quiet: value('--quiet'), line: value('--line'), card: value('--card'),
      servers: [0, 1, 2, 3, 4, 5].map((i) => value('--s' + i))};
  }

  function short(value) {
    const size = Math.abs(value);
    const unit = size >= 1e9 ? [1e9, 'G'] : size >= 1e6 ? [1e6, 'M'] : size >= 1e3 ? [1e3, 'k'] : [1, ''];
    return String(parseFloat((value / unit[0]).toPrecision(3))) + unit[1];
  }

  const NINES = ['0 %', '90 %', '99 %', '99.9 %', '99.99 %', '99.999 %', '99.9999 %', '99.99999 %'];
  function percentileOf(nines) {
    return parseFloat((100 * (1 - Math.pow(10, -nines))).toFixed(5)) + ' %';
  }

  function axis(spec, theme, values) {
    const own = {
      type: spec.type === 'nines' ? 'value' : spec.type, name: spec.name, nameTextStyle: {color: theme.quiet},
      axisLine: {show: true, lineStyle: {color: theme.line}}, axisTick: {show: false}, splitLine: {lineStyle: {color: theme.line, width: .6}},
      axisLabel: {color: theme.quiet, hideOverlap: true, formatter: short},
    };
    if (spec.type === 'nines') {
      Object.assign(own, {min: 0, max: Math.ceil(Math.max(1, ...values) * 4) / 4, interval: 1});
      own.axisLabel.formatter = (value) => NINES[value] || '';
    } else if (spec.type === 'log') {
      // Whole decades would leave most of a plot empty.
      const positive = values.filter((value) => value > 0);
      const low = Math.min(...positive), high = Math.max(...positive);
      const steps = (x) => [1, 2, 5].map((m) => m * Math.pow(10, Math.floor(Math.log10(x))));
      own.min = Math.max(...steps(low).filter((v) => v <= low * 1.0001));
      own.max = Math.min(...steps(high).concat(10 * Math.pow(10, Math.floor(Math.log10(high)))).filter((v) => v >= high * .9999));
      own.logBase = 10;
      own.minorSplitLine = {show: true, lineStyle: {color: theme.line, width: .3}};
    } else if (spec.type === 'category') {
      own.data = spec.categories;
      own.inverse = true;
      delete own.axisLabel.formatter;
      own.axisLabel.color = theme.ink;
      own.axisLabel.width = 150;
      own.axisLabel.overflow = 'break';
    }
    return own;
  }

  function lines(chart, theme) {
    const marks = chart.marks || {};
    const xs = chart.series.flatMap((s) => s.data.map((p) => p[0]));
    const ys = chart.series.flatMap((s) => s.data.map((p) => p[1])).concat((marks.y || []).map((m) => m.at));
    const x = axis(chart.x, theme, xs), y = axis(chart.y, theme, ys);
    Object.assign(x, {nameLocation: 'middle', nameGap: 26});
    if (chart.x.name && chart.x.name.startsWith('seconds') || chart.x.name && chart.x.name.startsWith('minutes')) {
      x.min = 0;
      x.max = 'dataMax';
      x.axisLabel.showMaxLabel = false;
    }
    const knees = chart.plain ? 0 : (marks.x || []).length;
    Object.assign(y, {nameLocation: 'end', nameGap: 15 + 13 * knees, nameTextStyle: {color: theme.quiet, align: 'left', padding: [0, 0, 0, -30]}});
    const series = chart.series.map((one) => {
      const colour = one.server === null ? theme.quiet : theme.servers[one.server % 6];
      return {
        type: 'line', name: one.name, data: one.data, symbol: SYMBOLS[(one.server || 0) % 6],
        symbolSize: 6, showSymbol: !chart.plain && one.server !== null, lineStyle: {color: colour, width: one.server === null ? 1 : 2, type: DASHES[one.line]},
        itemStyle: {color: colour}, animation: false, silent: one.server === null, emphasis: {focus: 'series'},
      };
    });
    if (series.length) {
      const label = (text, more) => Object.assign({formatter: text, color: theme.ink, fontSize: 11, textBorderColor: theme.card, textBorderWidth: 3}, more);
      const line = [];
      // Knees are told above the plot, one server's above the other's, as they may be close.
      (marks.x || []).forEach((m, i) => line.push({xAxis: m.at, label: label(chart.plain ? '' : m.text,
        {position: 'end', rotate: 0, distance: 3 + 13 * i, color: theme.servers[m.server % 6], fontWeight: 'bold'}),
        lineStyle: {color: theme.servers[m.server % 6], type: 'solid', width: 1.2}}));
      (marks.y || []).forEach((m) => line.push({yAxis: m.at, label: label(m.text, {position: 'insideStartTop'}),
        lineStyle: {color: theme.quiet, type: 'dashed', width: 1}}));
      if (line.length) series[0].markLine = {symbol: 'none', silent: true, animation: false, data: line};
      if ((marks.areas || []).length) {
        series[0].markArea = {silent: true, animation: false, data: marks.areas.map((a) => [
          {xAxis: a.from, itemStyle: {color: theme.servers[a.server % 6], opacity: .13}}, {xAxis: a.to}])};
      }
    }
    return {
      grid: {left: 8, right: 18, top: 58, bottom: 28, containLabel: true}, xAxis: x, yAxis: y, series: series,
      legend: {type: 'plain', top: 0, left: 0, itemWidth: 26, itemHeight: 8, itemGap: 12, textStyle: {color: theme.ink, fontSize: 12},
        data: chart.series.map((s) => s.name)},
      tooltip: {trigger: 'axis', backgroundColor: theme.card, borderColor: theme.line, textStyle: {color: theme.ink, fontSize: 12},
        axisPointer: {label: {formatter: (p) => chart.x.type === 'nines' ? percentileOf(p.value) : short(p.value)}},
        formatter: (points) => {
          const at = points[0].axisValue;
          const head = chart.x.type === 'nines' ? percentileOf(at) : short(at) + ' ' + chart.x.name;
          return head + points.map((p) => '<br>' + p.marker + p.seriesName + ': <b>' + short(p.value[1]) + '</b> ' + chart.y.name).join('');
        }},
    };
  }

  function bars(chart, theme) {
    const x = axis(chart.x, theme, []), y = axis(chart.y, theme, []);
    Object.assign(x, {nameLocation: 'middle', nameGap: 26});
    y.splitLine = {show: false};
    return {
      grid: {left: 8, right: 56, top: 34, bottom: 30, containLabel: true}, xAxis: x, yAxis: y,
      legend: {top: 0, left: 0, itemWidth: 14, itemHeight: 10, textStyle: {color: theme.ink, fontSize: 12}},
      series: chart.series.map((one) => ({
        type: 'bar', name: one.name, data: one.data, barMaxWidth: 18, barGap: '15%', animation: false,
        itemStyle: {color: theme.servers[one.server % 6], borderRadius: [0, 2, 2, 0]},
        label: {show: true, position: 'right', color: theme.ink, formatter: (p) => p.value ? short(p.value) : ''},
      })),
      tooltip: {trigger: 'axis', axisPointer: {type: 'shadow'}, backgroundColor: theme.card, borderColor: theme.line,
        textStyle: {color: theme.ink, fontSize: 12}, valueFormatter: (value) => value ? short(value) + ' a second' : 'not measured'},
      // Bars of different servers differ by more than their colour.
      aria: {enabled: true, decal: {show: chart.series.length > 1}, label: {enabled: false}},
    };
  }

  function draw(chart) {
    const place = document.getElementById(chart.id);
    if (!place) return;
    const theme = colours();
    let instance = drawn.get(chart.id);
    if (!instance) {
      instance = echarts.init(place, null, {renderer: 'svg'});
      drawn.set(chart.id, instance);
    }
    const options = chart.kind === 'bars' ? bars(chart, theme) : lines(chart, theme);
    options.backgroundColor = 'transparent';
    options.textStyle = {fontFamily: getComputedStyle(document.body).fontFamily};
    const rows = wraps(chart, place.clientWidth);
    options.grid.top += 20 * rows + (chart.plain ? 0 : 13 * ((chart.marks || {}).x || []).length);
    instance.setOption(options, true);
  }

  // Lines that the legend needs beyond its first one or two.
  function wraps(chart, width) {
    if (chart.kind === 'bars') return 0;
    const wide = chart.series.reduce((sum, s) => sum + 50 + 7 * s.name.length, 0);
    return Math.max(0, Math.ceil(wide / Math.max(200, width)) - 1);
  }

  const all = () => data.charts.forEach(draw);
  function resize(sizes) {
    drawn.forEach((instance) => instance.resize(sizes ? sizes(instance.getDom()) : undefined));
    all();
  }

  // On A4 two plots are beside each other, about 320 CSS pixels each; a wide one is twice that. The layout of the page is still the
  // screen's when this is asked, so the sizes are said here; report.css has the same height.
  function onPaper(place) {
    const bars = parseInt(place.style.minHeight, 10);
    return {width: place.closest('figure.wide') ? 640 : 300, height: bars || 250};
  }

  all();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', all);
  let waiting;
  addEventListener('resize', () => { clearTimeout(waiting); waiting = setTimeout(() => resize(), 100); });
  addEventListener('beforeprint', () => { printing = true; resize(onPaper); });
  addEventListener('afterprint', () => { printing = false; resize(); });
})();
