# awk -v column=9 -v scale=log -v name=NAME -f law.awk law.tsv
# How the best number of codes K grows with the parameters P of a generator and the clips C it has, from the cells of law.sh:
# lines "clips model parameters codes ..." between tabs. column is what is least at the best K, with scale=log its logarithm.
#
# A generator of one size on one number of clips is a curve over k = log2 K. All have one curvature, each a height of its own,
# and their least where k = a log2 P + b log2 C + d:
#
#     y = height + s k^2 - 2 s k (a log2 P + b log2 C + d)
#
# which is linear in what is not known once every curve is taken without its mean. So a curve whose least is outside the grid
# counts, too. The interval is that of 1,000 grids drawn from the cells with replacement (a bootstrap).

BEGIN {
  FS = "\t"
  RESAMPLES = 1000
  srand(1)
}

{
  n++
  curve[n] = $1 "\t" $2
  codes[n] = log($4) / log(2)
  y[n] = scale == "log" ? log($column) / log(2) : $column + 0
  size[curve[n]]++
  parameters[curve[n]] += $3
  if (!($1 in clips_seen)) { clips_seen[$1]; n_clips++ }
  if (!($2 in models_seen)) { models_seen[$2]; n_models++ }
  low = n == 1 || $4 < low ? $4 : low
  high = n == 1 || $4 > high ? $4 : high
}

# The terms of a cell that are linear in what is not known: term[1..terms], and y as term[0].
function terms_of(i,    part) {
  split(curve[i], part, "\t")
  term[0] = y[i]
  term[1] = codes[i]
  term[2] = codes[i] ^ 2
  term[3] = codes[i] * log(parameters[curve[i]] / size[curve[i]]) / log(2)
  term[4] = codes[i] * log(part[1]) / log(2)
}

# Least squares over the cells drawn[1..n]: solution[1..terms]; 0 where they do not decide it.
function solve(    i, j, k, c, mean, count, m, factor, pivot) {
  for (i = 1; i <= n; i++) {
    terms_of(drawn[i])
    count[curve[drawn[i]]]++
    for (j = 0; j <= terms; j++)
      mean[curve[drawn[i]], j] += term[j]
  }
  for (i = 1; i <= n; i++) {
    terms_of(drawn[i])
    c = curve[drawn[i]]
    for (j = 0; j <= terms; j++)
      term[j] -= mean[c, j] / count[c]
    for (j = 1; j <= terms; j++) {
      m[j, 0] += term[j] * term[0]
      for (k = 1; k <= terms; k++)
        m[j, k] += term[j] * term[k]
    }
  }
  for (j = 1; j <= terms; j++)
    scale_of[j] = m[j, j]
  for (j = 1; j <= terms; j++) {
    pivot = m[j, j]
    if (pivot <= 1e-9 * scale_of[j])
      return 0
    for (i = 1; i <= terms; i++) {
      factor = m[i, j] / pivot
      for (k = 0; k <= terms && i != j; k++)
        m[i, k] -= factor * m[j, k]
    }
  }
  for (j = 1; j <= terms; j++)
    solution[j] = m[j, 0] / m[j, j]
  return 1
}

# The share of the variance inside the curves that the solution explains.
function explained(    i, j, c, sum, left, all, mean, count) {
  for (i = 1; i <= n; i++) {
    terms_of(i)
    sum = term[0]
    for (j = 1; j <= terms; j++)
      sum -= solution[j] * term[j]
    error[i] = sum
    count[curve[i]]++
    mean[curve[i], 0] += term[0]
    mean[curve[i], 1] += sum
  }
  for (i = 1; i <= n; i++) {
    c = curve[i]
    all += (y[i] - mean[c, 0] / count[c]) ^ 2
    left += (error[i] - mean[c, 1] / count[c]) ^ 2
  }
  return all > 0 ? 1 - left / all : 0
}

# a and b, from -2 s a.
function exponent(j) {
  return -solution[j] / (2 * solution[2])
}

function sort(list, count,    i, j, held) {
  for (i = 2; i <= count; i++) {
    held = list[i]
    for (j = i - 1; j > 0 && list[j] > held; j--)
      list[j + 1] = list[j]
    list[j + 1] = held
  }
}

# 95 of 100 resamplings; one whose curves have no least has no exponent, and may lie on either side.
function interval(list, count,    cut, missing) {
  missing = RESAMPLES - count
  cut = 0.025 * RESAMPLES - missing
  if (cut < 1)
    return sprintf("no interval: in %.0f%% of the resamplings the curves have no least", 100 * missing / RESAMPLES)
  return sprintf("95%% interval %.2f to %.2f", list[int(cut)], list[count + 1 - int(cut)])
}

function best_of_each(    c, part, k, best, place) {
  for (c in size) {
    split(c, part, "\t")
    k = -solution[1] / (2 * solution[2])
    k += n_models > 1 ? exponent(3) * log(parameters[c] / size[c]) / log(2) : 0
    k += n_clips > 1 ? exponent(terms) * log(part[1]) / log(2) : 0
    best = 2 ^ k
    place = best < low || best > high ? ", outside the grid" : ""
    printf "%s: %s, %d clips: best at %.0f codes%s\n", name, part[2], part[1], best, place | "sort"
  }
  close("sort")
}

END {
  # One number of clips has no exponent of clips.
  terms = n_clips > 1 ? 4 : 3
  for (i = 1; i <= n; i++)
    drawn[i] = i
  if (n_models < 2 || !solve()) {
    printf "%s: %d cells do not decide an exponent yet: it wants several K of at least two generators\n", name, n
    exit
  }
  if (solution[2] <= 0) {
    printf "%s: the curves of %d cells have no least: the best K is at an edge of the grid\n", name, n
    exit
  }
  a = exponent(3)
  b = terms == 4 ? exponent(4) : 0
  fitted = explained()
  best_of_each()
  for (r = 1; r <= RESAMPLES; r++) {
    for (i = 1; i <= n; i++)
      drawn[i] = 1 + int(n * rand())
    if (solve() && solution[2] > 0) {
      of_parameters[++found] = exponent(3)
      of_clips[found] = terms == 4 ? exponent(4) : 0
    }
  }
  sort(of_parameters, found)
  sort(of_clips, found)
  printf "%s: best K grows as parameters^%.2f (%s); Tao et al.: parameters^0.83\n", name, a, interval(of_parameters, found)
  if (terms == 4)
    printf "%s: and as clips^%.2f (%s)\n", name, b, interval(of_clips, found)
  printf "%s: %d cells; parabolas explain %.0f%% of the differences inside curves\n", name, n, 100 * fitted
}
